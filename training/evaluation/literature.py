"""Reads the files that evaluation is made of."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAPERS = "literature_papers.jsonl"
TITLES = "literature_titles.jsonl"
ABSTRACTS = "literature_abstracts.jsonl"
GENERAL_PAIRS = "pairs_general.tsv"
WEB_RELEVANCE = "relevance_web.tsv"

# CSL writes both 。 and a plain full stop; the latter also stands in 3.5 and Fig.2.
_SENTENCE_END = re.compile(r"[。！？!?]|(?<![A-Za-z0-9])\.|\.(?![A-Za-z0-9])")


@dataclass(frozen=True, slots=True)
class Paper:
    id: str
    title: str
    abstract: str
    keywords: tuple[str, ...]


def first_sentence(abstract: str) -> str:
    """The abstract up to its first sentence end, which is left out."""
    for sentence in _SENTENCE_END.split(abstract):
        if sentence.strip():
            return sentence.strip()
    return abstract.strip()


def read_papers(path: Path) -> list[Paper]:
    """Papers as CSL writes them, or as documents: `text` and `fields.keywords`."""
    papers = []
    for row in _rows(path):
        abstract = row["abstract"] if "abstract" in row else row["text"]
        keywords = row["keywords"] if "keywords" in row else row["fields"]["keywords"]
        papers.append(Paper(row["id"], row["title"], abstract, tuple(keywords)))
    return papers


def read_texts(path: Path, key: str) -> list[tuple[str, str]]:
    """(id, text) of every row of a jsonl file; `key` names the text."""
    return [(row["id"], row[key]) for row in _rows(path)]


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """(query, title) of every line with two filled columns."""
    pairs = []
    for line in path.read_text("utf-8").splitlines():
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) == 2 and all(columns):
            pairs.append((columns[0], columns[1]))
    return pairs


def read_graded(path: Path) -> list[tuple[str, str, int]]:
    """(query, title, grade) of every line with a whole-number grade."""
    graded = []
    for line in path.read_text("utf-8").splitlines():
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) == 3 and columns[2].isdigit() and columns[0] and columns[1]:
            graded.append((columns[0], columns[1], int(columns[2])))
    return graded


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)
