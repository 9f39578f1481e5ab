"""Reads the files from which evaluation tasks are made.

A line that cannot be read is an error here, since a task with other queries has other figures.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from training.data.questions import squad_articles
from training.data.readers import Malformed, columns, read_lines, record
from training.data.texts import listed_keywords
from training.failures import DataInvalid

T = TypeVar("T")

PAPERS = "literature_papers.jsonl"
TITLES = "literature_titles.jsonl"
ABSTRACTS = "literature_abstracts.jsonl"
NATURAL_QUERIES = "natural_dev.tsv"
OTHER_QUERIES = "natural_others.tsv"
TITLE_QUERIES = "title_only.tsv"
SHORT_QUERIES = "short_queries.tsv"
SHORT_GRADES = "short_qrels.tsv"
GENERAL_PAIRS = "pairs_general.tsv"
WEB_RELEVANCE = "relevance_web.tsv"
QUESTIONS = "DRCD_dev.json"
PEOPLE_QUESTIONS = "people_questions.tsv"
PEOPLE_PASSAGES = "people_passages.jsonl"

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
    """Every line of a file of natural queries: kind, query, id of the paper. Raises
    DataInvalid."""
    return [NaturalQuery(*cells) for cells in _every_line(path, columns(3, 3))]


@dataclass(frozen=True, slots=True)
class ShortQuery:
    """A query of a few characters, and the grades of the documents that were judged for it."""

    id: str
    query: str
    grades: dict[str, int]
    """By document: 2 is a good hit, 1 touches what was asked, 0 does not."""


def read_short(queries: Path, grades: Path) -> list[ShortQuery]:
    """Every query of a file (`id<TAB>query`) with its lines of the other file (`query
    id<TAB>document id<TAB>grade`). Raises DataInvalid."""
    read = [ShortQuery(key, text, {}) for key, text in _every_line(queries, columns(2, 2))]
    of = {each.id: each for each in read}
    for key, document, grade in _every_line(grades, columns(3, 3)):
        if key not in of or grade not in ("0", "1", "2"):
            raise DataInvalid(
                f"{grades.name}: {key} {document} {grade!r} is no grade 0, 1 or 2 of a query of"
                f" {queries.name}"
            )
        of[key].grades[document] = int(grade)
    return read


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of an encyclopaedia and the questions that people wrote for it."""

    text: str
    questions: tuple[str, ...]


def read_paragraphs(path: Path) -> list[Paragraph]:
    """Every paragraph of a file in the form of DRCD, which is that of SQuAD 1.1. Raises
    DataInvalid."""
    with squad_articles(path) as articles:
        return [
            Paragraph(paragraph["context"], tuple(qa["question"] for qa in paragraph["qas"]))
            for article in articles
            for paragraph in article["paragraphs"]
        ]


def read_papers(path: Path) -> list[Paper]:
    """Papers as CSL writes them, or as documents with `text` and `fields.keywords`. Raises
    DataInvalid."""
    return _every_line(path, _paper)


def _paper(line: str) -> Paper:
    row = record("id", "title")(line)
    abstract = row["abstract"] if "abstract" in row else row.get("text")
    if not isinstance(abstract, str):
        raise Malformed("no text in 'abstract' or 'text'")
    fields = row.get("fields")
    holder = fields if "keywords" not in row and isinstance(fields, dict) else row
    given = holder.get("keywords")
    return Paper(row["id"], row["title"], abstract, tuple(listed_keywords(given)))


def _every_line(path: Path, parse: Callable[[str], T]) -> list[T]:
    items, report = read_lines(path, parse)
    if report.malformed:
        raise DataInvalid(f"{report}; every line of it counts, so mend the file")
    return items
