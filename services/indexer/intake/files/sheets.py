"""Reads XLSX and XLS by calamine: the rows of a workbook below their header."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import python_calamine as calamine

from services.indexer.intake.files.extracted import Unreadable

_Row = tuple[int, Sequence[Any]]
"""The number of a row, from 1, and its cells."""
_CAPTIONS = 10
"""Most rows with one cell only above a header; with more of them the table has one column."""
_ROWS = 200
"""Number of rows that are sent at a time."""


def header_of(path: Path) -> list[str]:
    """The names of the columns. Raises Unreadable."""
    for batch in read_sheets(path):
        columns: list[str] = batch["columns"]
        return columns
    return []


def read_sheets(path: Path) -> Iterator[dict[str, Any]]:
    """Batches {"sheet", "columns", "rows": [[number of the row, cells], ...], "left_out"}.

    The first sheet that is filled is read, and further ones that have the same columns; `left_out`
    names the others. Raises Unreadable.
    """
    try:
        with path.open("rb") as stream:
            book = calamine.CalamineWorkbook.from_filelike(stream)
    except calamine.PasswordError:
        raise Unreadable("is encrypted; remove the password and send it again") from None
    except (calamine.CalamineError, OSError):
        raise Unreadable("is damaged, or no Excel workbook") from None
    columns: list[str] = []
    left_out: list[str] = []
    for about in book.sheets_metadata:
        if about.typ is not calamine.SheetTypeEnum.WorkSheet:
            continue
        try:
            numbered = enumerate(book.get_sheet_by_name(about.name).iter_rows(), start=1)
            names, rows = _header(numbered)
        except calamine.CalamineError:
            raise Unreadable(f"is damaged: the sheet {about.name} cannot be read") from None
        if not names:
            continue
        if columns and names != columns:
            left_out.append(about.name)
            continue
        columns = names
        yield from _batches(about.name, columns, rows)
    if not columns:
        raise Unreadable("is a workbook without any filled cell")
    if left_out:
        yield {"sheet": "", "columns": columns, "rows": [], "left_out": left_out}


def _header(rows: Iterator[_Row]) -> tuple[list[str], Iterator[_Row]]:
    """The names of the columns, none for an empty sheet, and the rows below them.

    A row above with a single filled cell is a caption, if a row with more of them follows.
    """
    held: list[_Row] = []
    for number, cells in rows:
        names = _names(cells)
        filled = sum(map(bool, names))
        if filled > 1:
            return names, rows
        if filled or held:
            held.append((number, cells))
        if len(held) > _CAPTIONS:
            break
    return (_names(held[0][1]) if held else []), chain(held[1:], rows)


def _names(cells: Sequence[Any]) -> list[str]:
    """The texts of a row, without empty ones at its end."""
    names = [str(_plain(cell)).strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def _batches(sheet: str, columns: list[str], rows: Iterator[_Row]) -> Iterator[dict[str, Any]]:
    batch: list[tuple[int, list[Any]]] = []
    first = True
    for number, row in rows:
        cells = [_plain(cell) for cell in row]
        while len(cells) > len(columns) and cells[-1] == "":
            cells.pop()
        if any(cell != "" for cell in cells):
            batch.append((number, cells))
        if len(batch) >= _ROWS:
            yield {"sheet": sheet, "columns": columns, "rows": batch}
            batch, first = [], False
    if batch or first:
        yield {"sheet": sheet, "columns": columns, "rows": batch}


def _plain(cell: Any) -> str | int | float | bool:
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
