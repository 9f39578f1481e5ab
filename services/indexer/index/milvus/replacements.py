"""Replacements of rows by engines that delete and insert them, which a kill may tear.

The journal holds the new rows meanwhile, so that they are
written again if a kill came in between.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from services.common.collection import PhysicalName
from services.common.milvus import Missing
from services.indexer.index.milvus.journal import Journal, Replacement
from services.indexer.rows import Row, without_passages

Upsert = Callable[[PhysicalName, Sequence[Row], int], Awaitable[None]]


class Replacements:
    """Makes replacements by `upsert`, and completes torn ones. The caller holds the lock of
    writing; replacements that the journal holds while the lock is free were torn."""

    def __init__(self, journal: Journal, upsert: Upsert) -> None:
        self._journal = journal
        self._upsert = upsert
        self._torn = True
        """Whether the journal may hold replacements that a kill tore; true after a start."""
        self._recovered: set[PhysicalName] = set()

    async def make(self, physical: PhysicalName, rows: Sequence[Row], version: int) -> None:
        """Replaces rows that exist."""
        self._torn = True
        noted = Replacement(physical, [*map(without_passages, rows)], version)
        async with self._journal.noted(noted):
            await self._upsert(physical, rows, version)
        self._torn = False

    async def complete(self) -> None:
        """Writes the replacements in the journal again."""
        if not self._torn:
            return
        for replacement in await self._journal.left():
            with suppress(Missing):  # The collection may have been dropped.
                await self._upsert(replacement.physical, replacement.rows, replacement.version)
                self._recovered.add(replacement.physical)
            await self._journal.forget(replacement)
        self._torn = False

    def recovered(self) -> set[PhysicalName]:
        """The collections that were completed since the last call."""
        recovered, self._recovered = self._recovered, set()
        return recovered
