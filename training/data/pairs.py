"""Pairs of a query and a text that answers it, read from files or made of scholarly texts."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.common.text.analyzer import compared
from training.data.phrases import key_terms, sentences, title_like
from training.data.readers import Malformed, columns, read_lines, record

PAPER_TEXTS = ("title", "abstract", "text")

PARTS = frozenset({"sentence-title", "terms-title", "sentence-keywords", "sentence-sentence"})
"""Groups of `abstract_pairs` whose query only a part of the document answers."""

_NOT_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Pair:
    """A query with a text that answers it. Pairs of the same `key`, and of the same text, are
    never each other's negatives."""

    query: str
    title: str
    key: str
    group: str
    """Kind of the pair. A batch holds one group, so that negatives are of the positive's kind."""
    negatives: tuple[str, ...] = ()


def normal(text: str) -> str:
    """The letters and digits of a text in the form in which a search compares texts: 國有, full
    width, markup and accents make no difference."""
    return _NOT_WORD.sub("", compared(text))


def texts_of(papers: Iterable[Path]) -> frozenset[str]:
    """The normalised titles and abstracts of evaluation papers, which training must not see.

    The abstract of a paper is in `abstract`, as in CSL, or in `text`, as in a document. Raises
    DataInvalid.
    """
    texts: set[str] = set()
    for path in papers:
        for found in read_lines(path, _texts_of_paper)[0]:
            texts.update(map(normal, found))
    return frozenset(texts - {""})


def _texts_of_paper(line: str) -> list[str]:
    row = record("id")(line)
    texts = {name: row[name] for name in PAPER_TEXTS if row.get(name)}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise Malformed(f"{name!r} is no text")
    return [*texts.values()]


def pair_parser(group: str) -> Callable[[str], Pair]:
    """A parser of `query<TAB>title[<TAB>negative...]` lines; it raises Malformed."""
    cells = columns(2, 32)

    def parse(line: str) -> Pair:
        query, title, *negatives = cells(line)
        return Pair(query, title, normal(query) or query, group, negatives=tuple(negatives))

    return parse


def read_pairs(path: Path, group: str) -> list[Pair]:
    """The pairs of a file, in the order of its lines. Raises DataInvalid."""
    return read_lines(path, pair_parser(group))[0]


def shows_paper(pair: Pair, held_out: frozenset[str]) -> bool:
    """Whether a text of the pair is one of `held_out` (as `normal` writes them)."""
    texts = (pair.query, pair.title, *pair.negatives)
    return not held_out.isdisjoint(map(normal, texts))


def title_pairs(rows: Sequence[dict[str, Any]], rng: np.random.Generator) -> list[Pair]:
    """Pairs of a title and a query of two to five of its key terms in random order."""
    pairs = []
    for row in rows:
        terms = key_terms(row["title"])
        if len(terms) >= 2:
            chosen = _some(terms, rng)
            pairs.append(Pair(" ".join(chosen), row["title"], row["id"], "titles"))
    return pairs


def abstract_pairs(rows: Sequence[dict[str, Any]], rng: np.random.Generator) -> list[Pair]:
    """About three pairs of each abstract, made of parts of it that resemble what users ask.

    A title-like phrase stands for the title. Keywords and another sentence are queries for it, and
    it is a query for the abstract without its own sentence. A sentence is a query for the rest of
    the abstract or for another sentence.
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
    """At most `most` key terms of a text: the most frequent first, of equals the longest."""
    terms = [term for term in key_terms(text) if len(term) <= 10]
    return sorted(terms, key=lambda term: (-text.count(term), -len(term)))[:most]


def _some(terms: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Two to five of the terms in random order, or the only one."""
    count = int(rng.integers(min(len(terms), 2), min(len(terms), 5) + 1))
    return [terms[index] for index in rng.permutation(len(terms))[:count]]
