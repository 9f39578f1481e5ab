"""Reads the files from which evaluation tasks are made."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAPERS = "literature_papers.jsonl"
TITLES = "literature_titles.jsonl"
ABSTRACTS = "literature_abstracts.jsonl"
NATURAL_QUERIES = "natural_dev.tsv"
OTHER_QUERIES = "natural_others.tsv"
GENERAL_PAIRS = "pairs_general.tsv"
WEB_RELEVANCE = "relevance_web.tsv"
QUESTIONS = "DRCD_dev.json"

# CSL writes both 。 and a plain full stop; the latter also stands in 3.5 and Fig.2.
_SENTENCE_END = re.compile(r"[。！？!?]|(?<![A-Za-z0-9])\.|\.(?![A-Za-z0-9])")


@dataclass(frozen=True, slots=True)
class Paper:
    id: str
    title: str
    abstract: str
    keywords: tuple[str, ...]


def first_sentence(abstract: str) -> str:
    """The abstract up to the end of its first sentence, without the closing mark."""
    for sentence in _SENTENCE_END.split(abstract):
        if sentence.strip():
            return sentence.strip()
    return abstract.strip()


@dataclass(frozen=True, slots=True)
class NaturalQuery:
    """A query that a reader of a paper wrote for it."""

    kind: str
    """Manner of asking: ask, para, en, mix, trad, typo."""
    query: str
    paper: str


def read_natural(path: Path) -> list[NaturalQuery]:
    """Every line of a file of natural queries: kind, query, id of the paper."""
    return [NaturalQuery(*line.split("\t")) for line in path.read_text("utf-8").splitlines()]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of an encyclopaedia and the questions that people wrote for it."""

    text: str
    questions: tuple[str, ...]


def read_paragraphs(path: Path) -> list[Paragraph]:
    """Every paragraph of a file in the form of DRCD, which is that of SQuAD 1.1."""
    return [
        Paragraph(paragraph["context"], tuple(qa["question"] for qa in paragraph["qas"]))
        for article in json.loads(path.read_text("utf-8"))["data"]
        for paragraph in article["paragraphs"]
    ]


def read_papers(path: Path) -> list[Paper]:
    """Papers as CSL writes them, or as documents with `text` and `fields.keywords`."""
    papers = []
    for row in _rows(path):
        abstract = row["abstract"] if "abstract" in row else row["text"]
        keywords = row["keywords"] if "keywords" in row else row["fields"]["keywords"]
        papers.append(Paper(row["id"], row["title"], abstract, tuple(keywords)))
    return papers


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)
