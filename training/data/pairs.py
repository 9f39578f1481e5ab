"""Pairs of a query and a text that answers it: read from files, or made of scholarly text."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.data.phrases import key_terms, sentences, title_like
from training.data.readers import columns, read_lines, record

PAPER_TEXTS = ("title", "abstract", "text")

_NOT_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Pair:
    """One positive. Pairs of the same `key` are never each other's negatives."""

    query: str
    title: str
    key: str
    group: str
    """Batches are made of one group, so that negatives are of the positive's kind."""
    negatives: tuple[str, ...] = ()


def normal(text: str) -> str:
    """The text as it is compared for hold-out: letters and digits alone, NFKC, lower case."""
    return _NOT_WORD.sub("", unicodedata.normalize("NFKC", text).lower())


def texts_of(papers: Iterable[Path]) -> frozenset[str]:
    """Normalised titles and abstracts of evaluation papers, which training must not see.

    Papers as CSL writes them (`abstract`) or as documents (`text`).
    """
    texts: set[str] = set()
    for path in papers:
        for row in read_lines(path, record("id"))[0]:
            texts.update(normal(row[name]) for name in PAPER_TEXTS if row.get(name))
    return frozenset(texts - {""})


def read_pairs(path: Path, group: str) -> list[Pair]:
    """`query<TAB>title[<TAB>negative...]` lines."""
    rows, _ = read_lines(path, columns(2, 32))
    return [
        Pair(row[0], row[1], normal(row[0]) or row[0], group, negatives=row[2:]) for row in rows
    ]


def title_pairs(rows: Sequence[dict[str, Any]], rng: np.random.Generator) -> list[Pair]:
    """Some key terms of a title, in any order -> the title."""
    pairs = []
    for row in rows:
        terms = key_terms(row["title"])
        if len(terms) >= 2:
            chosen = _some(terms, rng)
            pairs.append(Pair(" ".join(chosen), row["title"], row["id"], "terms-title"))
    return pairs


def abstract_pairs(rows: Sequence[dict[str, Any]], rng: np.random.Generator) -> list[Pair]:
    """Views of an abstract that stand for what users ask: about three pairs of each.

    A title-like phrase stands for the title: keywords and another sentence look for it, and it
    looks for the abstract without its sentence. A sentence looks for the rest or for another one.
    """
    pairs: list[Pair] = []
    for row in rows:
        pairs += _views(row["id"], row["abstract"], row.get("keywords") or [], rng)
    return pairs


def _views(key: str, abstract: str, keywords: list[str], rng: np.random.Generator) -> list[Pair]:
    parts = sentences(abstract)
    if len(parts) < 2:
        return []
    titled = [(at, title) for at, part in enumerate(parts) if (title := title_like(part))]
    words = keywords or _frequent_terms(abstract)
    pairs = []
    if titled:
        at, title = titled[0]
        others = [part.strip() for index, part in enumerate(parts) if index != at]
        first = others[0] if rng.random() < 0.5 else others[rng.integers(len(others))]
        pairs.append(Pair(first, title, key, "sentence-title"))
        pairs.append(Pair(title, "".join(others), key, "title-abstract"))
        if len(words) >= 2:
            pairs.append(Pair(" ".join(_some(words, rng)), title, key, "terms-title"))
    if keywords:
        first = parts[0].strip()
        pairs.append(Pair(" ".join(_some(words, rng)), abstract, key, "keywords-abstract"))
        pairs.append(Pair(first, " ".join(_some(words, rng)), key, "sentence-keywords"))
    draw = rng.random()
    drawn = 0 if rng.random() < 0.5 else int(rng.integers(len(parts)))
    rest = parts[:drawn] + parts[drawn + 1 :]
    if len(words) >= 2 and draw < 0.3:
        pairs.append(Pair(" ".join(_some(words, rng)), abstract, key, "terms-abstract"))
    elif draw < 0.6:
        pairs.append(Pair(parts[drawn].strip(), "".join(rest), key, "sentence-abstract"))
    else:
        other = rest[int(rng.integers(len(rest)))].strip()
        pairs.append(Pair(parts[drawn].strip(), other, key, "sentence-sentence"))
    return pairs


def _frequent_terms(text: str, most: int = 6) -> list[str]:
    """Key terms by how often they occur in the text, then by length."""
    terms = [term for term in key_terms(text) if len(term) <= 10]
    return sorted(terms, key=lambda term: (-text.count(term), -len(term)))[:most]


def _some(terms: Sequence[str], rng: np.random.Generator) -> list[str]:
    count = int(rng.integers(2, min(len(terms), 5) + 1))
    return [terms[index] for index in rng.permutation(len(terms))[:count]]
