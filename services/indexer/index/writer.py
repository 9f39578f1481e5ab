"""Writes rows; no other module does.

Whether a row may be written is decided, and the row is written, under the collection's lock in the
one process that holds the writer's role, so the newest write of an id wins (docs/adr/0009).
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence

from services.common.collection import PhysicalName
from services.common.errors import Unavailable
from services.common.fields.types import FieldType
from services.common.versions import IndexVersions
from services.indexer.index.collections.clock import VersionClock
from services.indexer.index.collections.collections import Collections
from services.indexer.index.collections.states import CollectionState
from services.indexer.index.port import VectorIndex, slices
from services.indexer.index.role import WriterRole
from services.indexer.index.targets import RunningJobs, Targets
from services.indexer.originals import Originals
from services.indexer.rows import EncodedRows, Row, recut

SLICE_ROWS = 250
"""Most rows of a job, passages included, that are written in one hold of the lock. This bounds how
long a single document waits for the lock; a document of more passages is written at once."""


class OtherEncoders(Unavailable):
    """The collection needs vectors of other encoders than the rows have, because a rebuild began or
    ended meanwhile."""


class IndexWriter:
    """Writes rows and deletes documents, single ones and those of jobs.

    Every method raises IndexUnavailable, Overloaded, and Unavailable without the writer's role.
    """

    def __init__(
        self,
        collections: Collections,
        index: VectorIndex,
        versions: IndexVersions,
        role: WriterRole,
        clock: VersionClock,
        jobs: RunningJobs,
        originals: Originals,
    ) -> None:
        self._targets = Targets(jobs)
        self._originals = originals
        self.collections = collections
        self.clock = clock
        self._index = index
        self._versions = versions
        self._role = role
        self._moved: set[str] = set()

    async def check(self) -> None:
        """Raises Unavailable if this process may not accept writes now."""
        await self._role.check()
        self._targets.jobs.check()

    async def check_open(self, name: str) -> None:
        """Raises Unavailable if this process may not accept writes now, and Conflict while an
        import fills the collection."""
        await self.check()
        self._targets.check_open(name)

    async def accept(self, name: str) -> int:
        """The version of a write that is accepted now; later writes get higher ones. Raises
        Conflict while an import fills the collection."""
        await self.check_open(name)
        state = await self.collections.state(name)
        version = self.clock.next()
        state.newest = max(state.newest, version)
        return version

    async def encoders(self, name: str, version: int, encoder: str | None = None) -> list[str]:
        """Fingerprints of the encoders by which a write of this version must have vectors.

        `encoder` is that of a collection that does not exist yet. Raises EncoderMismatch.
        """
        state = await self.collections.state(name)
        await self._targets.settled(name, state)
        live = await self.collections.fitting(name)
        if live is None:
            return [encoder or (await self.collections.encoder_of_next(name)).fingerprint]
        targets = self._targets.of(state, live, version)
        return list(dict.fromkeys(target.encoder for target in targets))

    async def write_part(
        self,
        name: str,
        rows: EncodedRows,
        version: int,
        wanted: Callable[[], None],
        encoder: str | None = None,
    ) -> None:
        """Writes rows of an upsert job; they are durable in the index when it returns.

        `wanted` is called before each slice and raises if the job has been cancelled; `encoder` as
        in `encoders`. Raises OtherEncoders.
        """
        state = await self.collections.state(name)
        for chunk in _slices(rows):
            wanted()
            async with state.lock:
                physical = await self.collections.ensure(name, encoder)
                targets = self._targets.of(state, physical, version)
                await self._write(state, targets, chunk, version)

    async def write_build(
        self,
        physical: PhysicalName,
        rows: Sequence[Row],
        version: int,
        wanted: Callable[[], None],
    ) -> None:
        """Writes rows of a rebuild into the collection that it builds, as `write_part` does."""
        state = await self.collections.state(physical.name)
        for chunk in slices(rows, SLICE_ROWS):
            wanted()
            async with state.lock:
                await self._write(state, [physical], {physical.encoder: chunk}, version)

    async def put(self, name: str, rows: Mapping[str, Row], version: int) -> str:
        """Writes one document, its row by encoder, which searches find when this returns.

        Returns the index version. Raises OtherEncoders.
        """
        state = await self.collections.state(name)
        await self._targets.settled(name, state)
        async with state.lock:
            physical = await self.collections.ensure(name)
            targets = self._targets.of(state, physical, version)
            one = {encoder: [row] for encoder, row in rows.items()}
            await self._write(state, targets, one, version)
        return await self.moved(name)

    async def replace(
        self, name: str, rows: Mapping[str, Row], version: int, expected: int
    ) -> str | None:
        """Writes a document, its row by encoder, in place of the one of version `expected`.

        Returns the index version; None, with nothing written, if that version no longer exists.
        Raises OtherEncoders.
        """
        one = {encoder: [row] for encoder, row in rows.items()}
        identity = next(iter(rows.values())).id
        state = await self.collections.state(name)
        await self._targets.settled(name, state)
        async with state.lock:
            physical = await self.collections.live(name)
            there = await self._index.versions(physical, [identity])
            if there.get(identity) != expected:
                return None
            await self._write(state, self._targets.of(state, physical, version), one, version)
        return await self.moved(name)

    async def delete(
        self, name: str, ids: Sequence[str], version: int, *, pending: bool
    ) -> tuple[int, str]:
        """Deletes documents with their originals; returns how many existed, and the index version.

        `pending` says that writes accepted earlier may still come; then the deletion is kept
        against them. Raises CollectionNotFound.
        """
        unique = list(dict.fromkeys(ids))
        state = await self.collections.state(name)
        await self._targets.settled(name, state)
        async with state.lock:
            await self._role.check()
            physical = await self.collections.live(name)
            targets = self._targets.of(state, physical, version)
            if pending and unique:
                await state.tombstones.add(unique, version)
            there = await self._index.versions(physical, unique)
            for target in targets:
                await self._index.delete(target, unique)
        moved = await self.moved(name)
        await asyncio.to_thread(self._originals.delete, name, unique, version)
        return len(there), moved

    async def moved(self, name: str) -> str:
        """Moves the index version after a committed write, and returns it.

        Raises Unavailable while Redis is away; `settle` then moves it later.
        """
        self._moved.add(name)
        version = await self._versions.move(name)
        self._moved.discard(name)
        return version

    async def settle(self) -> None:
        """Completes writes that a dying server tore, and moves the index versions that are
        overdue."""
        self._moved |= {physical.name for physical in await self._index.recover()}
        for name in list(self._moved):
            await self.moved(name)

    async def _write(
        self,
        state: CollectionState,
        targets: Sequence[PhysicalName],
        rows: EncodedRows,
        version: int,
    ) -> None:
        if any(target.encoder not in rows for target in targets):
            raise OtherEncoders("The encoder of the collection is being changed.", retry_after=1)
        for target in targets:
            kept = state.tombstones.surviving(rows[target.encoder], version)
            oldest = min((row.version or version for row in kept), default=version)
            if oldest < state.newest:  # Otherwise no newer write was ever accepted.
                kept = await self._not_older(target, kept, version)
            kept = await self._cut(target, kept, state.types)
            await self._role.check()
            if kept:
                await self._index.upsert(target, kept, version)

    async def _cut(
        self, target: PhysicalName, rows: list[Row], types: Mapping[str, FieldType]
    ) -> list[Row]:
        """The rows with the words of the target's dictionary, which a rebuild may change."""
        if all(row.analyzer == target.analyzer for row in rows):
            return rows
        analyzer = await self.collections.words.of(target)
        if analyzer is None:
            raise Unavailable(f"The dictionary {target.analyzer} cannot be found; try again.")
        return await asyncio.to_thread(lambda: [recut(row, analyzer, types) for row in rows])

    async def _not_older(
        self, target: PhysicalName, rows: Sequence[Row], version: int
    ) -> list[Row]:
        ids = [row.id for row in rows]
        there = await self._index.versions(target, ids)
        return [row for row in rows if there.get(row.id, 0) <= (row.version or version)]


def _slices(rows: EncodedRows) -> Iterator[EncodedRows]:
    """Slices of at most SLICE_ROWS rows with passages; every encoder has the same documents in a
    slice."""
    start = 0
    for run in slices(next(iter(rows.values())), SLICE_ROWS):
        end = start + len(run)
        yield {encoder: encoded[start:end] for encoder, encoded in rows.items()}
        start = end
