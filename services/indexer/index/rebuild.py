"""Rebuilds: a new physical collection, verified against the old one, and one switch."""

import asyncio
import logging

from services.common.collection import PhysicalName
from services.common.errors import CollectionNotFound, Conflict
from services.indexer.index.collections import Building, Collections
from services.indexer.index.port import VectorIndex
from services.indexer.index.role import WriterRole
from services.indexer.index.writer import IndexWriter

logger = logging.getLogger(__name__)

_GOLDEN = 50
"""Documents whose own vector must find them."""
_GOLDEN_RANK = 10
_GOLDEN_LOSS = 0.05
"""Share of golden queries that the new collection may answer worse than the old one."""


class RebuildRefused(Exception):
    """The new collection is not fit to replace the old one. The message is for the user."""


class Rebuilds:
    """Builds are named by the version of their job. Raises IndexUnavailable, Unavailable."""

    def __init__(self, collections: Collections, writer: IndexWriter, role: WriterRole) -> None:
        self._collections = collections
        self._index: VectorIndex = collections.index
        self._writer = writer
        self._role = role

    async def begin(self, name: str, version: int, since: int) -> PhysicalName:
        """From when this returns, writes accepted after `since` go into the new one as well.

        Its index is chosen for as many documents as the collection has now.
        """
        state = await self._collections.state(name)
        physical = self._collections.physical(name, version)
        if state.building is None or state.building.physical != physical:
            self._role.check()
            live = await asyncio.to_thread(self._index.resolve, name)
            documents = await asyncio.to_thread(self._index.count, live) if live else 0
            await asyncio.to_thread(
                self._index.create, physical, self._collections.encoding.dimension, documents
            )
            async with state.lock:
                state.building = Building(physical, since)
        return physical

    async def switch(self, name: str, version: int, expected: int) -> None:
        """Verifies, warms and switches; the old collection stays for a rollback.

        Raises RebuildRefused.
        """
        state = await self._collections.state(name)
        new = self._collections.physical(name, version)
        old = await asyncio.to_thread(self._index.resolve, name)
        if old != new:
            await asyncio.to_thread(self._index.flush, new)
            state.unflushed[new] = 0
            await asyncio.to_thread(self._index.load, new)
            await self._verify(new, old, expected, version)
            async with state.lock:
                self._role.check()
                if old is not None:
                    await asyncio.to_thread(self._collections.remember_previous, name, old)
                await asyncio.to_thread(self._index.point, name, new)
                state.building = None
            logger.info("switched", extra={"collection": name, "index": str(new)})
        state.building = None
        await self.collect(name)

    async def abandon(self, name: str, version: int) -> None:
        """Removes what an unfinished rebuild wrote; the old collection has answered throughout."""
        state = await self._collections.state(name)
        physical = self._collections.physical(name, version)
        async with state.lock:
            self._role.check()
            state.building = None
            if await asyncio.to_thread(self._index.resolve, name) != physical:
                await self._collect(physical)

    async def collect(self, name: str) -> None:
        """Drops generations that neither answer, nor can be returned to, nor are being built."""
        state = await self._collections.state(name)
        async with state.lock:
            self._role.check()
            live = await asyncio.to_thread(self._index.resolve, name)
            if live is None:  # a first generation may be about to be pointed at
                return
            previous = await asyncio.to_thread(self._collections.previous, name)
            kept = {live, previous, state.building.physical if state.building else None}
            for physical in await asyncio.to_thread(self._index.physicals):
                if physical.name == name and physical not in kept:
                    await asyncio.to_thread(self._index.drop, physical)
                    logger.info("collected", extra={"collection": name, "index": str(physical)})

    async def rollback(self, name: str) -> None:
        """The collection before the last switch answers again; a second call returns.

        Raises CollectionNotFound, Conflict.
        """
        state = await self._collections.state(name)
        async with state.lock:
            self._role.check()
            live = await self._collections.live(name)
            previous = await asyncio.to_thread(self._collections.previous, name)
            if previous is None or previous not in await asyncio.to_thread(self._index.physicals):
                raise Conflict(f"Collection {name!r} has no earlier generation to return to.")
            if state.building is not None:
                raise Conflict(f"Collection {name!r} is being rebuilt; cancel that job first.")
            await asyncio.to_thread(self._index.load, previous)
            await asyncio.to_thread(self._collections.remember_previous, name, live)
            await asyncio.to_thread(self._index.point, name, previous)
        await self._writer.moved(name)

    async def written(self, name: str, version: int) -> int:
        """Rows of one write that are in the collection now."""
        try:
            live = await self._collections.live(name)
        except CollectionNotFound:
            return 0
        return await asyncio.to_thread(self._index.count, live, version)

    async def _verify(
        self, new: PhysicalName, old: PhysicalName | None, expected: int, version: int
    ) -> None:
        state = await self._collections.state(new.name)
        count = await asyncio.to_thread(self._index.count, new)
        # Writes beside it, newer than the job, add documents; deletions beside it are known.
        fewest = expected - state.tombstones.since(version)
        if count < fewest or (state.newest <= version and count != expected):
            raise RebuildRefused(
                f"The new collection has {count:,} documents where {expected:,} were written;"
                " the old one stays. Retry the job."
            )
        found = await self._self_retrieval(new)
        wanted = 1.0 if old is None else await self._self_retrieval(old)
        if found < wanted - _GOLDEN_LOSS:
            raise RebuildRefused(
                f"The new collection finds {found:.0%} of its golden documents in the first"
                f" {_GOLDEN_RANK}, the old one {wanted:.0%}; the old one stays."
            )

    async def _self_retrieval(self, physical: PhysicalName) -> float:
        """Share of golden documents that are found by their own vectors."""
        ids = await asyncio.to_thread(self._index.matching, physical, 'id != ""', _GOLDEN)
        rows = await asyncio.to_thread(self._index.documents, physical, ids)
        if not rows:
            return 1.0
        answers = await asyncio.to_thread(
            self._index.nearest, physical, [row.vector for row in rows], _GOLDEN_RANK
        )
        return sum(row.id in ids for row, ids in zip(rows, answers, strict=True)) / len(rows)

    async def _collect(self, physical: PhysicalName) -> None:
        if physical in await asyncio.to_thread(self._index.physicals):
            await asyncio.to_thread(self._index.drop, physical)
