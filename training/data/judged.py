"""Judgements for the ranker: a title above others, or a title with a grade."""

from collections.abc import Iterable
from pathlib import Path

from training.data.pairs import normal
from training.data.readers import Malformed, columns, read_lines
from training.objectives.rank import Form, Judged


def read_ranked(path: Path, form: Form, at_most: int) -> list[Judged]:
    """`query<TAB>title<TAB>negative...` lines of 3 to `at_most` columns."""
    rows, _ = read_lines(path, columns(3, at_most))
    return [Judged(query, tuple(titles), form) for query, *titles in rows]


def read_graded(path: Path, top_grade: int) -> list[Judged]:
    """`query<TAB>title<TAB>grade` lines; a grade is a whole number from 0 to `top_grade`."""
    cells = columns(3, 3)

    def parse(line: str) -> Judged:
        query, title, grade = cells(line)
        if not (grade.isascii() and grade.isdigit()) or int(grade) > top_grade:
            raise Malformed(f"{grade!r} is no grade from 0 to {top_grade}")
        return Judged(query, (title,), Form.GRADED, int(grade) / top_grade)

    return read_lines(path, parse)[0]


def held_to(judged: Iterable[Judged], secret: frozenset[str]) -> list[Judged]:
    """Those in which no text is one of `secret` (normalised)."""
    return [
        each
        for each in judged
        if normal(each.query) not in secret
        and not any(normal(title) in secret for title in each.titles)
    ]
