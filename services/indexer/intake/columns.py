"""What a column of a table holds, numbers or lists: decided over the whole column, not by cell.

A column holds numbers when at least half of its values are written as numbers (12, 12.30, -1.5e-05)
and none is a code of digits (007, +86, 1.2.3, 1,234, more digits than a number keeps). Then all its
numbers are of one kind, integers or decimals, and other values in it (n/a, unknown) stay texts. In
all other columns everything stays text.

The cells of authors and keywords, by the usual names of these columns, are lists where any of them
holds a semicolon, those of keywords also where half of them hold commas; the names of Western
authors have commas inside.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.common.fields.values import MAX_INTEGER, MIN_INTEGER
from services.indexer.intake.record import Record

_INTEGER = re.compile(r"0|-?[1-9]\d{0,18}")
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+(?:[eE][-+]\d{1,3})?|[eE][-+]\d{1,3})")
_CODE = re.compile(r"[-+]?[\d.,]*\d[\d.,]*")
_DIGITS = 17
"""Most significant digits of a number that another program wrote from a float."""
_LOOK_EVERY = 1_000
_AUTHORS = frozenset(
    ("author", "authors", "editor", "editors", "作者", "著者", "责任者", "编者", "主编")
)
_KEYWORDS = frozenset(
    ("keyword", "keywords", "tags", "subjects", "关键词", "关键字", "主题词", "标签")
)
"""Usual names of columns that hold lists."""
SEMICOLONS, _COMMAS = ";；", ",，、"
"""Signs between the items of a list."""


@dataclass(slots=True)
class _Seen:
    integers: int = 0
    decimals: int = 0
    texts: int = 0
    codes: int = 0
    semicolons: int = 0
    """Cells with one of SEMICOLONS, and below with one of the commas."""
    commas: int = 0

    def look(self, cell: object) -> None:
        if isinstance(cell, str):
            self._look(cell.strip())
            self.semicolons += any(sign in cell for sign in SEMICOLONS)
            self.commas += any(sign in cell for sign in _COMMAS)
        elif isinstance(cell, float):
            self.decimals += 1
        elif isinstance(cell, int) and not isinstance(cell, bool):
            self.integers += 1

    def _look(self, cell: str) -> None:
        if not cell or (cell[0] not in "-+.," and not cell[0].isdigit()):
            self.texts += 1
        elif _INTEGER.fullmatch(cell) and MIN_INTEGER <= int(cell) <= MAX_INTEGER:
            self.integers += 1
        elif _DECIMAL.fullmatch(cell) and _significant(cell) <= _DIGITS:
            self.decimals += 1
        elif _CODE.fullmatch(cell):
            self.codes += 1
        else:
            self.texts += 1

    @property
    def kind(self) -> "type[int] | type[float] | None":
        numbers = self.integers + self.decimals
        if self.codes or numbers < self.texts or not numbers:
            return None
        return float if self.decimals else int


class ColumnKinds:
    """What each column of a file holds.

    A declared `text` or `number` overrides what was seen, and so do `lists`, the signs between the
    items of each column that holds lists.
    """

    def __init__(
        self,
        declared: Mapping[str, str] | None = None,
        lists: Mapping[str, str] | None = None,
    ) -> None:
        self._declared = declared or {}
        self._lists = lists
        self._seen: dict[str, _Seen] = {}

    def look(
        self, records: Iterator[Record], check: Callable[[], None], without: Collection[str]
    ) -> None:
        """Looks at all records of a file.

        `check` is called often and raises to stop.
        """
        for number, record in enumerate(records, start=1):
            if number % _LOOK_EVERY == 0:
                check()
            for name, cell in (record.values or {}).items():
                if name not in without:
                    self._seen.setdefault(name, _Seen()).look(cell)

    def value(self, column: str, cell: Any) -> Any:
        """A cell as a list or a number where its column holds them.

        Raises ValueError if it must be a number.
        """
        declared = self._declared.get(column)
        if isinstance(cell, bool | list | dict):
            return cell
        if isinstance(cell, str) and declared is None and (signs := self._signs(column)):
            return _items(cell, signs)
        if declared == "text":
            return str(cell)
        seen = self._seen.get(column)
        kind = seen.kind if seen else None
        if not isinstance(cell, str):
            if seen and kind is None and declared is None:
                return str(cell)
            return float(cell) if kind is float else cell
        number = _number(cell.strip())
        if declared == "number":
            if number is None:
                raise ValueError(f"{column} is declared a number and holds {cell[:80]!r}")
            return float(number) if kind is float else number
        return cell if kind is None or number is None else kind(number)

    def _signs(self, column: str) -> str:
        """The signs between the items of a column that holds lists; empty for another one."""
        if self._lists is not None:
            return self._lists.get(column, "")
        seen, name = self._seen.get(column), column.strip().lower()
        if seen is None or name not in _AUTHORS | _KEYWORDS:
            return ""
        if seen.semicolons:
            return SEMICOLONS
        return _COMMAS if name in _KEYWORDS and 2 * seen.commas >= max(seen.texts, 1) else ""


def keywords_of(cell: str) -> list[str]:
    """The keywords of a cell that is looked at by itself: between semicolons if it has any, else
    between commas."""
    return _items(cell, SEMICOLONS if any(sign in cell for sign in SEMICOLONS) else _COMMAS)


def _items(cell: str, signs: str) -> list[str]:
    items = [item.strip() for item in re.split(f"[{re.escape(signs)}]", cell)]
    return [item for item in items if item]


def _number(cell: str) -> int | float | None:
    if _INTEGER.fullmatch(cell) and MIN_INTEGER <= int(cell) <= MAX_INTEGER:
        return int(cell)
    return float(cell) if _DECIMAL.fullmatch(cell) else None


def _significant(cell: str) -> int:
    mantissa = re.split("[eE]", cell)[0].replace(".", "").lstrip("-0")
    return len(mantissa)
