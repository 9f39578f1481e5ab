"""Reads XLSX and XLS by calamine: the rows of a workbook below their header."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import python_calamine as calamine

from services.indexer.intake.files.extracted import Unreadable

_CAPTIONS = 10
"""Number of rows above the header that may be a caption, which has one cell only."""
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
            rows = book.get_sheet_by_name(about.name).iter_rows()
            above, names = _header(rows)
        except calamine.CalamineError:
            raise Unreadable(f"is damaged: the sheet {about.name} cannot be read") from None
        if not names:
            continue
        if columns and names != columns:
            left_out.append(about.name)
            continue
        columns = names
        yield from _batches(about.name, columns, above, rows)
    if not columns:
        raise Unreadable("is a workbook without any filled cell")
    if left_out:
        yield {"sheet": "", "columns": columns, "rows": [], "left_out": left_out}


def _header(rows: Iterator[Sequence[Any]]) -> tuple[int, list[str]]:
    """Number of the row that names the columns, and the names; none for an empty sheet.

    A row above it with a single filled cell is a caption, if a row with more of them follows.
    """
    caption: tuple[int, list[str]] | None = None
    for number, row in enumerate(rows, start=1):
        names = [str(_plain(cell)).strip() for cell in row]
        while names and not names[-1]:
            names.pop()
        filled = sum(map(bool, names))
        if filled > 1:
            return number, names
        if filled == 1 and caption is None:
            caption = (number, names)
        if number >= _CAPTIONS and caption:
            break
    return caption or (0, [])


def _batches(
    sheet: str, columns: list[str], above: int, rows: Iterator[Sequence[Any]]
) -> Iterator[dict[str, Any]]:
    batch: list[tuple[int, list[Any]]] = []
    first = True
    for number, row in enumerate(rows, start=above + 1):
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
