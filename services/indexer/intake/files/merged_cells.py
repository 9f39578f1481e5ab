"""Finds the cells of a sheet that are merged: groups of columns, and values of several rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import python_calamine as calamine

Groups = Mapping[int, Sequence[range]]
"""The columns, from 0, of each cell that is merged side by side, by the number of its row."""


def groups_of(sheet: calamine.CalamineSheet) -> Groups:
    """The cells of a sheet that reach over several columns of one row."""
    left = _left(sheet)
    groups: dict[int, list[range]] = {}
    for (top, first), (bottom, last) in sheet.merged_cell_ranges or ():
        if top == bottom and last > first >= left:
            groups.setdefault(top + 1, []).append(range(first - left, last - left + 1))
    return groups


class SharedCells:
    """Gives the value of a cell that is merged over several rows to each of them.

    The file has it in the first row only. Of a cell that reaches over several columns too, the
    first column has the value.
    """

    def __init__(self, sheet: calamine.CalamineSheet, above: int, columns: Sequence[str]) -> None:
        """`above` is the number of the header's last row, and cells that begin there or above are
        left out. Of `columns` those without a name are."""
        left = _left(sheet)
        self._begin: dict[int, list[tuple[int, int]]] = {}
        """The column and the last row of each such cell, by the number of its first row."""
        for (top, first), (bottom, _) in sheet.merged_cell_ranges or ():
            named = first >= left and any(columns[first - left : first - left + 1])
            if bottom > top >= above and named:
                self._begin.setdefault(top + 1, []).append((first - left, bottom + 1))
        self._open: dict[int, tuple[int, Any]] = {}
        """The last row and the value of the cells that reach into the next row, by column."""

    def fill(self, number: int, cells: list[Any]) -> list[int]:
        """Fills the cells of a row that belong to a cell above, and returns their columns. Rows
        come in their order, each of them."""
        self._open = {at: cell for at, cell in self._open.items() if cell[0] >= number}
        filled = []
        for column, (_, value) in self._open.items():
            if column < len(cells) and cells[column] == "":
                cells[column] = value
                filled.append(column)
        for column, last in self._begin.get(number, ()):
            if column < len(cells) and cells[column] != "":
                self._open[column] = last, cells[column]
        return filled


def _left(sheet: calamine.CalamineSheet) -> int:
    """The number of the first column that has a filled cell, from 0."""
    return sheet.start[1] if sheet.start else 0
