"""The one place that writes rows. Check and write happen under the collection's lock, in the
one process that holds the writer's role, so the newest write of an id wins (docs/adr/0009)."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from services.common.collection import PhysicalName
from services.common.errors import Unavailable
from services.common.versions import IndexVersions
from services.indexer.index.clock import VersionClock
from services.indexer.index.collections import Collections, CollectionState
from services.indexer.index.port import VectorIndex, slices
from services.indexer.index.role import WriterRole
from services.indexer.rows import Row

SLICE_ROWS = 250
"""Rows per call and per hold of the lock: bounds what a single document waits for."""
_SETTLE_SECONDS = 5.0
"""How long a single write waits for a rebuild to begin or to end."""
_FLUSH_SINGLES = 200
"""Single writes after which milvus-lite is flushed; its search slows down with each."""
_FLUSH_ROWS = 5_000
"""Rows of a job after which it is. A flush leaves a segment, and milvus-lite's BM25 knows the
words of one segment only, so documents of small ones rank wrongly among the others. In return a
search over so many rows that wait takes 0.7 s longer, over 1,000 0.2 s, until the job ends."""


class RunningJobs(Protocol):
    """What the writer must know of the jobs."""

    def check(self) -> None:
        """Raises Unavailable while the jobs are not known."""

    def rebuilding(self, collection: str) -> int | None:
        """The version of the rebuild that runs on a collection. Raises Unavailable."""

    async def change(self, seconds: float) -> None:
        """Returns at the next change of a job, or after that time."""


class IndexWriter:
    """All methods raise IndexUnavailable, Overloaded, and Unavailable without the role."""

    def __init__(
        self,
        collections: Collections,
        index: VectorIndex,
        versions: IndexVersions,
        role: WriterRole,
        clock: VersionClock,
        jobs: RunningJobs,
    ) -> None:
        self._jobs = jobs
        self.collections = collections
        self.clock = clock
        self._index = index
        self._versions = versions
        self._role = role
        self._moved: set[str] = set()

    def check(self) -> None:
        """Raises Unavailable when this process may not accept writes now."""
        self._role.check()
        self._jobs.check()

    async def accept(self, name: str) -> int:
        """The version of a write that is accepted now; later ones get higher ones."""
        self.check()
        state = await self.collections.state(name)
        version = self.clock.next()
        state.newest = max(state.newest, version)
        return version

    async def write_part(
        self, name: str, rows: Sequence[Row], version: int, wanted: Callable[[], None]
    ) -> None:
        """Rows of an upsert job. When it returns they are durable in the index. `wanted` is
        called before each slice and raises to stop, as a cancelled job does."""
        state = await self.collections.state(name)
        for chunk in slices(rows, SLICE_ROWS):
            wanted()
            async with state.lock:
                physical = await self.collections.ensure(name)
                targets = self._targets(state, physical, version)
                await self._write(state, targets, chunk, version)
        await self._flush_at(_FLUSH_ROWS, state, targets)

    async def end_job(self, name: str, rows: int) -> None:
        """An upsert job wrote `rows` and will write no more: unless they are few, they are flushed
        and searched fast from now on."""
        state = await self.collections.state(name)
        live = await asyncio.to_thread(self._index.resolve, name)
        if live is None:  # it was deleted since
            return
        if live not in state.flushed:  # the job may have begun before a restart
            state.unflushed[live] = max(rows, state.unflushed.get(live, 0))
        await self._flush_at(_FLUSH_SINGLES, state, [live])

    async def write_build(
        self,
        name: str,
        physical: PhysicalName,
        rows: Sequence[Row],
        version: int,
        wanted: Callable[[], None],
    ) -> None:
        """Rows of a rebuild, into the collection that is being built."""
        state = await self.collections.state(name)
        for chunk in slices(rows, SLICE_ROWS):
            wanted()
            async with state.lock:
                await self._write(state, [physical], chunk, version)
        await self._flush_at(_FLUSH_ROWS, state, [physical])

    async def put(self, name: str, row: Row, version: int) -> str:
        """One document, found when this returns. Returns the index version."""
        state = await self.collections.state(name)
        await self._settled(name, state)
        async with state.lock:
            physical = await self.collections.ensure(name)
            targets = self._targets(state, physical, version)
            await self._write(state, targets, [row], version)
        state.singles += 1
        if state.singles >= _FLUSH_SINGLES:
            await self._flush_at(0, state, targets)
        return await self.moved(name)

    async def delete(
        self, name: str, ids: Sequence[str], version: int, *, pending: bool
    ) -> tuple[int, str]:
        """How many were there, and the index version. With `pending`, writes accepted earlier
        may still come, and the deletion is remembered against them. Raises CollectionNotFound."""
        unique = list(dict.fromkeys(ids))
        state = await self.collections.state(name)
        await self._settled(name, state)
        async with state.lock:
            self._role.check()
            physical = await self.collections.live(name)
            if pending and unique:
                await asyncio.to_thread(state.tombstones.add, unique, version)
            there = await asyncio.to_thread(self._index.versions, physical, unique)
            for target in self._targets(state, physical, version):
                await asyncio.to_thread(self._index.delete, target, unique)
        return len(there), await self.moved(name)

    async def moved(self, name: str) -> str:
        """A write was committed: moves the version. While Redis is away that stays owed."""
        self._moved.add(name)
        version = await self._versions.move(name)
        self._moved.discard(name)
        return version

    async def settle(self) -> None:
        """Moves the versions that are owed."""
        for name in list(self._moved):
            await self.moved(name)

    def _targets(
        self, state: CollectionState, physical: PhysicalName, version: int
    ) -> list[PhysicalName]:
        building = state.building
        if self._unsettled(physical.name, state):
            raise Unavailable(
                "A rebuild of the collection begins or ends; try again in a second.", retry_after=1
            )
        if building is None or version < building.since:
            return [physical]
        return [physical, building.physical]

    def _unsettled(self, name: str, state: CollectionState) -> bool:
        """Whether a rebuild runs whose new collection is not known yet, as after a restart, or
        not any more. A write that went into the old one alone would be lost at the switch."""
        version = self._jobs.rebuilding(name)
        built = state.building.physical.generation if state.building else None
        return version is not None and built != version

    async def _settled(self, name: str, state: CollectionState) -> None:
        give_up = time.monotonic() + _SETTLE_SECONDS
        while self._unsettled(name, state) and time.monotonic() < give_up:
            await self._jobs.change(0.1)

    async def _write(
        self,
        state: CollectionState,
        targets: Sequence[PhysicalName],
        rows: Sequence[Row],
        version: int,
    ) -> None:
        surviving = state.tombstones.surviving(rows, version)
        oldest = min((row.version or version for row in surviving), default=version)
        for target in targets:
            kept = surviving
            if oldest < state.newest:  # else nothing newer was ever accepted
                kept = await self._not_older(target, surviving, version)
            self._role.check()
            if kept:
                await asyncio.to_thread(self._index.upsert, target, kept, version)
                state.unflushed[target] = state.unflushed.get(target, 0) + len(kept)

    async def _not_older(
        self, target: PhysicalName, rows: Sequence[Row], version: int
    ) -> list[Row]:
        ids = [row.id for row in rows]
        there = await asyncio.to_thread(self._index.versions, target, ids)
        return [row for row in rows if there.get(row.id, 0) <= (row.version or version)]

    async def _flush_at(
        self, least: int, state: CollectionState, targets: Sequence[PhysicalName]
    ) -> None:
        """Flushes the targets of which at least so many rows wait for it."""
        if not self._index.needs_flush:
            return
        for target in targets:
            waiting = state.unflushed.get(target, 0)
            if waiting >= least:
                await asyncio.to_thread(self._index.flush, target)
                # Others may have come meanwhile.
                state.unflushed[target] = state.unflushed.get(target, 0) - waiting
                state.flushed.add(target)
                state.singles = 0
