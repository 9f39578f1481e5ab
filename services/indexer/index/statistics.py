"""Counts the documents of a collection and their fields, in bounded memory and time."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.common.collection import PhysicalName
from services.common.fields.types import MOST_NUMBER, FieldKind, is_date
from services.common.fields.values import FieldValue, Scalar
from services.common.wire.contents import (
    MOST_COUNTED,
    CollectionStatistics,
    FieldStatistics,
    TextStatistics,
    ValueCount,
)
from services.indexer.index.collections.collections import Collections
from services.indexer.index.port import VectorIndex
from services.indexer.rows import Row

_MOST_FIELDS = 200
"""Most different names of fields; further names are left out."""
_MOST_VALUES = 10_000
"""Most different values of a field that are counted one by one."""
_MOST_CHARACTERS = 20_000_000
"""Most characters of all values that are kept, over all fields together."""
_TOP = 10
_TEXT = "text"
_KEYWORD_CHARACTERS = 100
"""Most characters of a text that is taken for a keyword."""


@dataclass(slots=True)
class _Texts:
    documents: int = 0
    characters: int = 0
    longest: int = 0

    def add(self, text: str) -> None:
        if text:
            self.documents += 1
            self.characters += len(text)
            self.longest = max(self.longest, len(text))

    def report(self) -> TextStatistics:
        mean = self.characters / self.documents if self.documents else 0.0
        return TextStatistics(
            documents=self.documents,
            mean_characters=round(mean, 1),
            most_characters=self.longest,
        )


@dataclass(slots=True)
class _Field:
    documents: int = 0
    lists: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    least: float | int | None = None
    greatest: float | int | None = None
    values: Counter[tuple[str, Scalar]] = field(default_factory=Counter)
    complete: bool = True
    dates: int = 0
    """Texts that are dates."""
    longest: int = 0
    """Characters of the longest text."""

    def type(self) -> FieldKind | None:
        """The type that fits all counted values; None if none does."""
        kinds = set(self.kinds)
        if kinds == {_TEXT}:
            if self.longest > _KEYWORD_CHARACTERS:
                return FieldKind.TEXT
            if self.lists:
                return FieldKind.KEYWORDS
            return FieldKind.DATE if self.dates == self.kinds[_TEXT] else FieldKind.KEYWORD
        if self.lists or not kinds or not kinds <= {"integer", "decimal"}:
            return None
        exact = (self.least or 0) > -MOST_NUMBER and (self.greatest or 0) < MOST_NUMBER
        return FieldKind.NUMBER if exact else None

    def report(self, name: str) -> FieldStatistics:
        ordered = sorted(self.values.items(), key=lambda item: (-item[1], str(item[0])))
        top = [ValueCount(value=value, documents=n) for (_, value), n in ordered[:_TOP]]
        return FieldStatistics(
            name=name,
            type=self.type(),
            documents=self.documents,
            lists=self.lists,
            kinds=dict(self.kinds),
            least=self.least,
            greatest=self.greatest,
            distinct=len(self.values),
            complete=self.complete,
            top=top if self.complete else [],
        )


class _Count:
    """The counts over the rows so far."""

    def __init__(self) -> None:
        self.counted = 0
        self.title, self.text = _Texts(), _Texts()
        self.fields: dict[str, _Field] = {}
        self._characters = 0

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.counted += 1
            self.title.add(row.document.title)
            self.text.add(row.document.text)
            for name, value in row.document.fields.items():
                if name in self.fields or len(self.fields) < _MOST_FIELDS:
                    self._add(self.fields.setdefault(name, _Field()), value)

    def _add(self, counts: _Field, value: FieldValue) -> None:
        items: list[Scalar] = list(value) if isinstance(value, list) else [value]
        counts.documents += 1
        counts.lists += isinstance(value, list)
        for item in items:
            counts.kinds[_kind(item)] += 1
            if isinstance(item, str):
                counts.longest = max(counts.longest, len(item))
                counts.dates += is_date(item)
            if isinstance(item, (int, float)) and not isinstance(item, bool):
                counts.least = item if counts.least is None else min(counts.least, item)
                counts.greatest = item if counts.greatest is None else max(counts.greatest, item)
        # The key keeps true and 1 apart, which are equal; equal numbers are one value.
        for key in {("b" if isinstance(item, bool) else "", item) for item in items}:
            if key in counts.values:
                counts.values[key] += 1
                continue
            size = len(key[1]) if isinstance(key[1], str) else 1
            room = self._characters + size <= _MOST_CHARACTERS
            if room and len(counts.values) < _MOST_VALUES:
                self._characters += size
                counts.values[key] = 1
            else:
                counts.complete = False


def _kind(item: Scalar) -> str:
    if isinstance(item, bool):
        return "boolean"
    if isinstance(item, str):
        return _TEXT
    return "integer" if isinstance(item, int) else "decimal"


class StatisticsBook:
    """The statistics of collections, counted once for each version of an index."""

    def __init__(self, collections: Collections) -> None:
        self._collections = collections
        self._known: dict[str, CollectionStatistics] = {}
        self._counting: dict[str, asyncio.Lock] = {}

    async def of(self, name: str) -> CollectionStatistics:
        """The statistics of a collection.

        Raises CollectionNotFound, IndexUnavailable, and Unavailable while Redis is away.
        """
        described = await self._collections.describe(name)
        async with self._counting.setdefault(name, asyncio.Lock()):
            known = self._known.get(name)
            if known is None or known.index_version != described.index_version:
                physical = await self._collections.live(name)
                count = await _counted(self._collections.index, physical)
                known = CollectionStatistics(
                    collection=name,
                    index_version=described.index_version,
                    documents=described.count,
                    counted=count.counted,
                    title=count.title.report(),
                    text=count.text.report(),
                    fields=[
                        counts.report(field_name)
                        for field_name, counts in sorted(
                            count.fields.items(), key=lambda item: (-item[1].documents, item[0])
                        )
                    ],
                )
                self._known[name] = known
        return known


async def _counted(index: VectorIndex, physical: PhysicalName) -> _Count:
    count = _Count()
    async for rows in index.pages(physical, vectors=False):
        await asyncio.to_thread(count.add, rows[: MOST_COUNTED - count.counted])
        if count.counted >= MOST_COUNTED:
            break
    return count
