"""Reads XLSX and XLS by calamine: the rows of a workbook below their header."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import python_calamine as calamine

from services.indexer.intake.files.cell_faults import Area, faults
from services.indexer.intake.files.extracted import Unreadable
from services.indexer.intake.files.merged_cells import SharedCells, groups_of
from services.indexer.intake.files.sheet_header import Row, header, plain

_ROWS = 200
"""Number of rows that are sent at a time."""


def header_of(path: Path) -> list[str]:
    """The names of the columns. Raises Unreadable."""
    for batch in read_sheets(path):
        columns: list[str] = batch["columns"]
        return columns
    return []


def read_sheets(path: Path) -> Iterator[dict[str, Any]]:
    """Batches {"sheet", "columns", "rows": [[number of the row, cells, shared], ...], "problems"}.

    The first sheet with several columns is read, or without one the first that is filled, and
    further ones that have the same columns. `shared` has the places of the cells whose value is
    that of a merged cell above. `problems` tells, in the last batch, what of the workbook was not
    read. Raises Unreadable.
    """
    try:
        with path.open("rb") as stream:
            book = calamine.CalamineWorkbook.from_filelike(stream)
    except calamine.PasswordError:
        raise Unreadable("is encrypted; remove the password and send it again") from None
    except (calamine.CalamineError, OSError):
        raise Unreadable("is damaged, or no Excel workbook") from None
    columns: list[str] = []
    areas: list[Area] = []
    left_out: list[str] = []
    notes: list[str] = []
    """Sheets of one column before the first with several, which are looked at again at the end."""
    for name in chain(_worksheets(book), notes):
        try:
            sheet = book.get_sheet_by_name(name)
            names, above, rows = header(enumerate(sheet.iter_rows(), start=1), groups_of(sheet))
        except calamine.CalamineError:
            raise Unreadable(f"is damaged: the sheet {name} cannot be read") from None
        if not columns and len(names) == 1 and name not in notes:
            notes.append(name)
            continue
        if not names:
            continue
        if columns and names != columns:
            left_out.append(name)
            continue
        columns = names
        left = sheet.start[1] if sheet.start else 0
        areas.append(Area(name, above, range(left, left + len(names))))
        yield from _batches(name, columns, rows, SharedCells(sheet, above, names))
    if not columns:
        raise Unreadable("is a workbook without any filled cell")
    problems = list(faults(path, areas))
    problems += [
        f"holds the sheet {name}, which has other columns: it was not read" for name in left_out
    ]
    if problems:
        yield {"sheet": "", "columns": columns, "rows": [], "problems": problems}


def _worksheets(book: calamine.CalamineWorkbook) -> Iterator[str]:
    """The names of the sheets that hold cells."""
    for about in book.sheets_metadata:
        if about.typ is calamine.SheetTypeEnum.WorkSheet:
            yield about.name


def _batches(
    sheet: str, columns: list[str], rows: Iterator[Row], merged: SharedCells
) -> Iterator[dict[str, Any]]:
    batch: list[tuple[int, list[Any], list[int]]] = []
    first = True
    for number, row in rows:
        cells = [plain(cell) for cell in row]
        while len(cells) > len(columns) and cells[-1] == "":
            cells.pop()
        blank = all(cell == "" for cell in cells)
        shared = merged.fill(number, cells)
        if not blank:
            batch.append((number, cells, shared))
        if len(batch) >= _ROWS:
            yield {"sheet": sheet, "columns": columns, "rows": batch}
            batch, first = [], False
    if batch or first:
        yield {"sheet": sheet, "columns": columns, "rows": batch}
