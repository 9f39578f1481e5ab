"""The metadata of documents as typed columns in memory, for counts, orders and groups.

A column holds a code for each value instead of the value, so that counting is arithmetic over
arrays. A row is named by the id and the version of a document, which the index gives with each
hit: a document that was written again gets a new row, and the old one is never read again.
"""

import heapq
from collections.abc import Mapping, Sequence
from copy import copy
from itertools import repeat
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from services.common.fields.values import Scalar
from services.recall.domain import Key

Rows = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]

_FIRST_CAPACITY = 1024
_DENSE = 8
"""Values are read through instead of gathered for at least one of so many rows."""
_RUN = 5_000
"""Number of values that are sorted at once, in 3 ms. Python lets no other thread run meanwhile."""

NUMBER, TEXT, BOOLEAN = 0, 1, 2
"""The kinds of values, in the order in which they are sorted."""


def kind_of(value: Scalar) -> int:
    """The kind of a value: NUMBER, TEXT or BOOLEAN. Values of one kind have an order."""
    if isinstance(value, bool):
        return BOOLEAN
    return TEXT if isinstance(value, str) else NUMBER


class FieldColumn:
    """One field over the rows of a collection.

    What was put does not change again, so a shallow copy stays as it is while rows are added to the
    column, also in another thread.
    """

    def __init__(self) -> None:
        self.values: list[Scalar] = []
        """The different values; the index of a value is its code."""
        self._codes: dict[tuple[int, Scalar], int] = {}
        self._kinds = np.zeros(_FIRST_CAPACITY, np.int8)
        self._starts = np.zeros(_FIRST_CAPACITY, np.int64)
        self._lengths = np.zeros(_FIRST_CAPACITY, np.int32)
        self._listed = np.zeros(_FIRST_CAPACITY, np.bool_)
        self._flat = np.zeros(_FIRST_CAPACITY, np.int32)
        self._used = 0
        self._rows = 0

    def put(self, row: int, value: Any) -> None:
        """Stores the value of a row behind all others; a list counts each of its values once."""
        listed = isinstance(value, list)
        codes = list(dict.fromkeys(map(self._code, value if listed else [value])))
        end = self._used + len(codes)
        self._flat = _grown(self._flat, end)
        self._flat[self._used : end] = codes
        self._starts = _grown(self._starts, row + 1)
        self._lengths = _grown(self._lengths, row + 1)
        self._listed = _grown(self._listed, row + 1)
        self._starts[row], self._lengths[row], self._listed[row] = self._used, len(codes), listed
        self._used, self._rows = end, row + 1

    def pairs(self, rows: Rows, *, single: bool = False) -> tuple[Rows, npt.NDArray[np.int32]]:
        """Places in `rows` and the codes of their values, one pair for each value.

        With `single` the values of lists are left out.
        """
        places = np.flatnonzero(rows < self._rows)
        known = rows[places]
        lengths = self._lengths[known]
        if single:
            lengths = np.where(self._listed[known], 0, lengths)
        before = np.cumsum(lengths) - lengths
        at = np.repeat(self._starts[known] - before, lengths) + np.arange(lengths.sum())
        return np.repeat(places, lengths), self._flat[at]

    def counts(self, rows: Rows, *, single: bool = False) -> Counts:
        """The number of rows with each value, by code. Each row is given once."""
        if len(rows) * _DENSE < self._rows:
            codes = self.pairs(rows, single=single)[1]
        else:
            codes = self._flat[: self._used][self._asked(rows, single=single)]
        return np.bincount(codes, minlength=len(self.values))

    def _asked(self, rows: Rows, *, single: bool) -> npt.NDArray[np.bool_]:
        """For each of the values, which lie in the order of rows, if it belongs to one of `rows`.

        For a large part of all rows this is faster than to gather the values of each row.
        """
        asked = np.zeros(self._rows, np.bool_)
        asked[rows[rows < self._rows]] = True
        if single:
            asked &= ~self._listed[: self._rows]
        return np.repeat(asked, self._lengths[: self._rows])

    def missing(self, rows: Rows) -> int:
        """The number of rows without a value."""
        known = rows[rows < self._rows]
        return len(rows) - int(np.count_nonzero(self._lengths[known]))

    def firsts(self, rows: Rows) -> npt.NDArray[np.int64]:
        """The code of each row's first value; -1 if it has none."""
        places, codes = self.pairs(rows)
        firsts = np.full(len(rows), -1, np.int64)
        firsts[places[::-1]] = codes[::-1]
        return firsts

    def by_kind(self, codes: Rows) -> list[tuple[int, Rows]]:
        """The codes of each kind of value that is among them, in the order of kinds."""
        kinds = self._kinds[codes]
        parted = [(kind, codes[kinds == kind]) for kind in (NUMBER, TEXT, BOOLEAN)]
        return [(kind, part) for kind, part in parted if len(part)]

    def ordered(self, codes: Rows) -> list[int]:
        """The codes in the order of their values."""
        value = self.values.__getitem__
        order: list[int] = []
        for _, part in self.by_kind(codes):
            every = part.tolist()
            runs = [every[start : start + _RUN] for start in range(0, len(every), _RUN)]
            order += heapq.merge(*(sorted(run, key=value) for run in runs), key=value)
        return order

    def smallest(self, codes: Rows, count: int) -> list[int]:
        """The codes of the `count` smallest values, in order."""
        chosen: list[int] = []
        for kind, part in self.by_kind(codes):
            values: list[Any] = [self.values[code] for code in part.tolist()]
            least = heapq.nsmallest(count - len(chosen), values)
            chosen += [self._codes[kind, value] for value in least]
        return chosen

    def _code(self, value: Scalar) -> int:
        kind = kind_of(value)
        code = self._codes.get((kind, value))
        if code is None:
            code = self._codes[kind, value] = len(self.values)
            self._kinds = _grown(self._kinds, code + 1)
            self._kinds[code] = kind
            self.values.append(value)
        return code


class Columns:
    """The fields of one physical collection, as far as they were requested."""

    def __init__(self) -> None:
        self.fields: dict[str, FieldColumn] = {}
        self._rows: dict[str, int] = {}
        self._last: tuple[Sequence[Key], Rows] = ([], np.empty(0, np.int64))
        """The documents that were found last, with their rows, unless rows were added since."""
        self._versions = np.zeros(_FIRST_CAPACITY, np.int64)
        self._used = 0

    def __len__(self) -> int:
        """Number of rows in memory, including those of older versions."""
        return self._used

    @property
    def documents(self) -> int:
        """Number of documents with a row."""
        return len(self._rows)

    def fields_so_far(self) -> dict[str, FieldColumn]:
        """The fields as they are, which another thread may read while rows are added."""
        return {name: copy(column) for name, column in self.fields.items()}

    def found(self, keys: Sequence[Key]) -> tuple[Rows, list[str]]:
        """The newest row of each document, -1 for one without a row, and the ids of those whose row
        of this version is not in memory.

        The keys are kept, so the caller must not change them: lists of the same documents follow
        each other often, with other counts or another order, and comparing 100,000 keys takes a
        fifth of the time of looking them up.
        """
        known, rows = self._last
        if keys == known:
            return rows, []
        rows = self.rows([identity for identity, _ in keys])
        versions = np.fromiter(map(itemgetter(1), keys), np.int64, len(keys))
        there = (rows >= 0) & (self._versions[rows] == versions)
        if there.all():
            self._last = (keys, rows)
        return rows, [keys[place][0] for place in np.flatnonzero(~there).tolist()]

    def rows(self, identities: Sequence[str]) -> Rows:
        """The newest row of each document; -1 stands for a document without one."""
        return np.fromiter(map(self._rows.get, identities, repeat(-1)), np.int64, len(identities))

    def put(self, identity: str, version: int, fields: Mapping[str, Any]) -> None:
        """Adds a document's row, unless it exists."""
        known = self._rows.get(identity)
        if known is not None and self._versions[known] == version:
            return
        self._last = ([], np.empty(0, np.int64))
        row = self._rows[identity] = self._used
        self._used += 1
        self._versions = _grown(self._versions, self._used)
        self._versions[row] = version
        for name, value in fields.items():
            if name not in self.fields:
                self.fields[name] = FieldColumn()
            self.fields[name].put(row, value)


def _grown(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """The array with room for `size` elements; new ones are 0."""
    if size <= len(array):
        return array
    grown = np.zeros(max(size, 2 * len(array)), array.dtype)
    grown[: len(array)] = array
    return grown
