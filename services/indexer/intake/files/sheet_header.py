"""Finds the names of a sheet's columns: one row, or several where groups stand above columns."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from services.indexer.intake.files.merged_cells import Groups

Row = tuple[int, Sequence[Any]]
"""The number of a row, from 1, and its cells."""
_CAPTIONS = 10
"""Most rows with one cell only above a header; with more of them the table has one column."""


class Header(NamedTuple):
    """The names of the columns, none for an empty sheet, with the number of the last row that has
    such names, and the rows below it."""

    names: list[str]
    number: int
    rows: Iterator[Row]


def header(rows: Iterator[Row], groups: Groups) -> Header:
    """The header of a sheet.

    A row above with a single filled cell is a caption, if a row with more of them follows.
    """
    held: list[Row] = []
    for row in rows:
        names = _names(row)
        filled = sum(map(bool, names))
        if filled > 1:
            return _with_lower(names, row[0], rows, groups)
        if filled or held:
            held.append(row)
        if len(held) > _CAPTIONS:
            break
    if not held:
        return Header([], 0, rows)
    return Header(_names(held[0]), held[0][0], chain(held[1:], rows))


def _with_lower(names: list[str], number: int, rows: Iterator[Row], groups: Groups) -> Header:
    """The header that begins in a row, of which cells may be groups of columns that the next row
    names.

    The next row does so if its cells are filled below the groups and nowhere else.
    """
    below = next(rows, None)
    if below is None:
        return Header(names, number, rows)
    named = [cells for cells in groups.get(number, ()) if any(names[cells[0] : cells[0] + 1])]
    grouped = {column: names[cells[0]] for cells in named for column in cells}
    lower = _names(below)
    filled = {column for column, name in enumerate(lower) if name}
    filled.update(column for cells in groups.get(number + 1, ()) for column in cells)
    # Below groups of all columns a row of data could stand; a header is made of texts.
    sure = all(isinstance(cell, str) for cell in below[1]) or _beside(names, grouped)
    if not grouped or filled != grouped.keys() or not sure:
        return Header(names, number, chain([below], rows))
    lower, number, rows = _with_lower(lower, below[0], rows, groups)
    own = [low or name for name, low in zip_longest(names, lower, fillvalue="")]
    often = Counter(own)
    distinct = [
        f"{grouped[column]} {name}" if column in grouped and often[name] > 1 else name
        for column, name in enumerate(own)
    ]
    return Header(distinct, number, rows)


def _beside(names: Sequence[str], grouped: Mapping[int, str]) -> bool:
    """Whether a row names columns that are in no group."""
    return any(name and column not in grouped for column, name in enumerate(names))


def _names(row: Row) -> list[str]:
    """The texts of a row, without empty ones at its end."""
    names = [str(plain(cell)).strip() for cell in row[1]]
    while names and not names[-1]:
        names.pop()
    return names


def plain(cell: Any) -> str | int | float | bool:
    """A cell as metadata hold it: whole numbers as integers, dates as texts."""
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and abs(cell) < 2**53 else cell
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return cell.strip() if isinstance(cell, str) else cell
