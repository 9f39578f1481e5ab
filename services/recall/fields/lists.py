"""Counts, order and groups of the documents of a search, and lists of the documents that a filter
selects."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from services.common.errors import DeadlineExceeded, InvalidRequest, Unavailable
from services.common.request_context import Deadline
from services.common.wire.arrange import (
    Arranged,
    ArrangeOptions,
    ArrangeRequest,
    Listed,
    ListRequest,
)
from services.common.wire.facets import FacetCounts, FacetWanted
from services.recall.domain import Index, Key
from services.recall.fields.arrange import RELEVANCE, Fields, arranged
from services.recall.fields.columns import Columns, Rows
from services.recall.selection import selection

logger = logging.getLogger(__name__)

MOST_ROWS = 500_000
"""Most rows that are kept in memory, of all collections together: 170 MB if each has eleven values
in five fields, and 75 MB for the keys of the last list. More documents cannot be listed without a
query."""
_BATCH = 1_000
"""Number of documents whose fields are fetched in one call."""
_AT_ONCE = 50
"""Number of documents whose fields are taken up between two turns of other tasks: 1 ms of work, or
more where papers have hundreds of authors."""

_ALL_SHARE = 0.5
"""Fraction of the remaining time for which a field is looked for in all documents that none of
those that were found has."""

EVERY = "*"
"""Name of a facet that stands for a facet of every field."""


class FieldSource(Protocol):
    """An index as a source of the metadata of its documents."""

    async def resolve(self, collection: str, deadline: Deadline) -> Index:
        """The index behind a name. Raises CollectionNotFound, IndexUnavailable."""

    async def keys(self, index: Index, expression: str, most: int, deadline: Deadline) -> list[Key]:
        """At most `most` documents that match an expression, or of all if it is empty, in the order
        of ids.

        Raises IndexUnavailable, DeadlineExceeded.
        """

    async def fields(
        self, index: Index, ids: Sequence[str], deadline: Deadline
    ) -> list[tuple[str, int, Mapping[str, Any]]]:
        """Id, version and metadata of the documents with these ids that are there.

        Raises IndexUnavailable, DeadlineExceeded.
        """


@dataclass(slots=True)
class Lists:
    """Keeps the metadata of documents that were requested; all requests share one."""

    source: FieldSource
    most_rows: int = MOST_ROWS
    _columns: OrderedDict[str, Columns] = field(default_factory=OrderedDict, init=False)
    """Columns by physical collection, the least recently used first."""

    async def arrange(self, wanted: ArrangeRequest, deadline: Deadline) -> Arranged:
        """Order, groups and counts of these documents; deleted ones are left out.

        Raises InvalidRequest for a field that no document has, IndexUnavailable and
        DeadlineExceeded.
        """
        index = Index.of_rows(wanted.index, wanted.version)
        return await self._arranged(index, wanted.rows, wanted, deadline)

    async def counts(
        self, index: Index, keys: Sequence[Key], facets: Sequence[FacetWanted], deadline: Deadline
    ) -> FacetCounts:
        """The counts over these documents; deleted ones are left out. Raises as `arrange` does."""
        wanted = ArrangeOptions.model_construct(facets=list(facets), sort=[], group_by=None)
        arranged = await self._arranged(index, keys, wanted, deadline)
        return FacetCounts.model_construct(total=arranged.total, facets=arranged.facets)

    async def listed(self, wanted: ListRequest, deadline: Deadline) -> Listed:
        """The documents that a filter selects, in the order of ids unless another one is asked for.
        If only counts need the fields and these cannot be read, there are no counts.

        Raises InvalidFilter, InvalidRequest for a field that no document has or for too many
        documents, CollectionNotFound, Conflict, IndexUnavailable and DeadlineExceeded.
        """
        described = await self.source.resolve(wanted.collection, deadline)
        expression = selection(described, wanted.collection, wanted.filter, wanted.partition)
        index = described.at(wanted.version)
        keys = await self.source.keys(index, expression, self.most_rows + 1, deadline)
        if len(keys) > self.most_rows:
            raise InvalidRequest(
                f"More than {self.most_rows:,} documents match, too many to be listed; give a"
                " query or a narrower filter."
            )
        order = list(range(min(wanted.most, len(keys))))
        answer, counted = Arranged(total=len(keys), order=order, facets={}), True
        if wanted.facets or _named(wanted):
            try:
                answer = await self._arranged(index, keys, wanted, deadline, wanted.most)
            except (Unavailable, DeadlineExceeded) as error:
                if wanted.sort or wanted.group_by:
                    raise
                logger.warning("the facets of a list were not counted", extra={"code": error.code})
                counted = False
        return Listed.model_construct(
            index=index.physical,
            total=answer.total,
            ids=[keys[place][0] for place in answer.order],
            groups=answer.groups,
            distinct_groups=answer.distinct_groups,
            facets=answer.facets if counted else None,
        )

    async def names(self, collection: str, deadline: Deadline) -> list[str]:
        """The names of a collection's fields, from its first documents and from all that were
        counted.

        Raises CollectionNotFound, IndexUnavailable and DeadlineExceeded.
        """
        index = await self.source.resolve(collection, deadline)
        keys = await self.source.keys(index, "", _BATCH, deadline)
        columns, _ = await self._filled(index, keys, deadline)
        return sorted(columns.fields)

    async def columns(
        self, index: Index, keys: Sequence[Key], names: Sequence[str], deadline: Deadline
    ) -> tuple[Columns, Rows]:
        """Columns with these fields, and the row of each document in them; -1 if it is not there.

        A field that none of them has is looked for in all documents. Raises InvalidRequest for one
        that no document has, unless the collection is too large to know that or takes too long;
        IndexUnavailable and DeadlineExceeded.
        """
        columns, rows = await self._filled(index, keys, deadline)
        if not _unknown(columns, names):
            return columns, rows
        part = Deadline.after(deadline.remaining() * _ALL_SHARE)
        try:
            every = await self.source.keys(index, "", self.most_rows + 1, part)
            if len(every) > self.most_rows:
                return columns, rows
            columns, _ = await self._filled(index, every, part)
        except DeadlineExceeded:
            logger.info(
                "the fields of the index could not be read in time",
                extra={"index": index.physical},
            )
            return columns, rows
        if (unknown := _unknown(columns, names)) and every:
            there = ", ".join(sorted(columns.fields)) or "it has none"
            raise InvalidRequest(
                f"No document of the collection has a field `{unknown[0]}`; its fields: {there}."
            )
        return columns, columns.rows([identity for identity, _ in keys])

    async def _arranged(
        self,
        index: Index,
        keys: Sequence[Key],
        wanted: ArrangeOptions,
        deadline: Deadline,
        most: int | None = None,
    ) -> Arranged:
        """Order, groups and counts; the order is by places in `keys`. With `most` only the first
        ones of order and groups.

        It is made in another thread: putting 100,000 different values in order takes a quarter of a
        second, in which other searches go on.
        """
        columns, known = await self.columns(index, keys, _named(wanted), deadline)
        there = np.flatnonzero(known >= 0)
        rows = known[there]

        def made(fields: Fields) -> Arranged:
            return arranged(fields, rows, _spelled_out(wanted, fields, rows), most)

        answer = await asyncio.to_thread(made, columns.fields_so_far())
        if len(rows) == len(known):
            return answer
        return answer.model_copy(update={"order": there[answer.order].tolist()})

    async def _filled(
        self, index: Index, keys: Sequence[Key], deadline: Deadline
    ) -> tuple[Columns, Rows]:
        columns = self._columns.setdefault(index.physical, Columns())
        self._columns.move_to_end(index.physical)
        rows, unknown = columns.found(keys)
        if len(columns) + len(unknown) > self.most_rows:
            # Old rows of documents that were written again are left out.
            columns = self._columns[index.physical] = Columns()
            unknown = [identity for identity, _ in keys]
        for start in range(0, len(unknown), _BATCH):
            batch = unknown[start : start + _BATCH]
            read = await self.source.fields(index, batch, deadline)
            for place, one in enumerate(read):
                if place % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
                columns.put(*one)
        if unknown:  # Others may have been used, or have pushed these out, while they were read.
            self._columns[index.physical] = columns
            self._columns.move_to_end(index.physical)
        while len(self._columns) > 1 and sum(map(len, self._columns.values())) > self.most_rows:
            self._columns.popitem(last=False)
        return columns, columns.rows([identity for identity, _ in keys]) if unknown else rows


def _spelled_out(wanted: ArrangeOptions, fields: Fields, rows: Rows) -> ArrangeOptions:
    """The arrangement with a facet for each field of the documents in place of one for every
    field."""
    facets = {one.field: one for one in wanted.facets}
    every = facets.pop(EVERY, None)
    if every is None:
        return wanted
    names = sorted(name for name, column in fields.items() if column.missing(rows) < len(rows))
    others = {name: every.model_copy(update={"field": name}) for name in names}
    return wanted.model_copy(update={"facets": list((others | facets).values())})


def _named(wanted: ArrangeOptions) -> list[str]:
    """The fields that an arrangement names."""
    names = [one.field for one in wanted.facets if one.field != EVERY]
    names += [key.field for key in wanted.sort if key.field != RELEVANCE]
    return [*names, wanted.group_by] if wanted.group_by is not None else names


def _unknown(columns: Columns, names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in columns.fields]
