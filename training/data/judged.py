"""Judgements for the ranker: a document above others, or a document with a grade."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from training.data.pairs import normal
from training.data.readers import Malformed, columns, read_lines

MOST_COLUMNS = 128
"""Most columns of a line: those of a query, its answer and at most 126 negatives."""


class Form(StrEnum):
    """The kind of loss that a judgement is trained with."""

    PAIRWISE = "pairwise"
    LISTWISE = "listwise"
    GRADED = "graded"


@dataclass(frozen=True, slots=True)
class JudgedExample:
    """A query with documents: the first is better than the others, or the only one has a grade
    from 0 to 1."""

    query: str
    texts: tuple[str, ...]
    form: Form
    grade: float = 1.0
    key: str = ""
    """The id of the answer, empty if it is unknown; judgements of one answer validate together."""

    @property
    def characters(self) -> int:
        return len(self.query) + max(map(len, self.texts))


def ranked_parser(
    form: Form, documents: Mapping[str, str] | None = None
) -> Callable[[str], JudgedExample]:
    """A parser of `query<TAB>answer<TAB>negative...` lines; it raises Malformed.

    With `documents`, answer and negatives are ids of documents. A negative that is no document is
    left out; a line without its answer or without any negative teaches nothing and is malformed.
    """
    cells = columns(3, MOST_COLUMNS)

    def parse(line: str) -> JudgedExample:
        query, *texts = cells(line)
        if documents is None:
            return JudgedExample(query, tuple(texts), form)
        key, *negatives = texts
        if key not in documents:
            raise Malformed(f"{key!r} is no id of the corpus, or is held out")
        known = [documents[negative] for negative in negatives if negative in documents]
        if not known:
            raise Malformed("none of the negatives is an id of the corpus")
        return JudgedExample(query, (documents[key], *known), form, key=key)

    return parse


def graded_parser(top_grade: int) -> Callable[[str], JudgedExample]:
    """A parser of `query<TAB>title<TAB>grade` lines with grades from 0 to `top_grade`; it raises
    Malformed."""
    cells = columns(3, 3)
    digits = len(str(top_grade))

    def parse(line: str) -> JudgedExample:
        query, title, grade = cells(line)
        known = grade.isascii() and grade.isdigit() and len(grade) <= digits
        if not known or int(grade) > top_grade:
            raise Malformed(f"{grade[:40]!r} is no grade from 0 to {top_grade}")
        return JudgedExample(query, (title,), Form.GRADED, int(grade) / top_grade)

    return parse


def read_graded(path: Path, top_grade: int) -> list[JudgedExample]:
    """The graded pairs of a file, in the order of its lines. Raises DataInvalid."""
    return read_lines(path, graded_parser(top_grade))[0]


def shows(item: JudgedExample, held_out: frozenset[str]) -> bool:
    """Whether a text of the judgement is one of `held_out` (as `normal` writes them)."""
    return any(normal(text) in held_out for text in (item.query, *item.texts))
