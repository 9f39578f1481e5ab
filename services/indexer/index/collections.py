"""Collections by the names users know: what answers under a name, and what is being built."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from services.common.collection import PhysicalName, check_collection_name
from services.common.errors import CollectionExists, CollectionNotFound, EncoderMismatch
from services.common.text import Analyzers
from services.common.versions import IndexVersions
from services.common.wire.collections import Collection
from services.indexer.index.clock import VersionClock
from services.indexer.index.port import VectorIndex
from services.indexer.index.tombstones import Tombstones
from services.indexer.store import NoSuchObject, ObjectStore


class Versions(IndexVersions, Protocol):
    async def forget(self, collection: str) -> None:
        """A collection was deleted. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """What decides, with the words of its analyzer, whether rows fit into a collection."""

    encoder: str
    dimension: int


@dataclass(frozen=True, slots=True)
class Building:
    """A collection that a rebuild fills. Writes accepted after `since` go into it too."""

    physical: PhysicalName
    since: int


@dataclass(slots=True)
class CollectionState:
    """What this process, the only writer, knows of a collection. Guarded by `lock`."""

    tombstones: Tombstones
    newest: int
    """No write to this collection was accepted with a higher version."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    building: Building | None = None
    unflushed: dict[PhysicalName, int] = field(default_factory=dict)
    """Rows that this process wrote since it last flushed."""
    flushed: set[PhysicalName] = field(default_factory=set)
    """Where that is all that waits; elsewhere there may be rows from before a restart."""
    singles: int = 0
    """Single writes since the last flush."""


class Collections:
    """Creates, lists, drops and switches collections. All methods raise IndexUnavailable."""

    def __init__(
        self,
        index: VectorIndex,
        store: ObjectStore,
        versions: Versions,
        clock: VersionClock,
        encoding: Encoding,
        analyzers: Analyzers,
        newest_job: Callable[[str], int],
    ) -> None:
        self.index = index
        self.encoding = encoding
        self.analyzers = analyzers
        self._store = store
        self._versions = versions
        self._clock = clock
        self._newest_job = newest_job
        self._states: dict[str, CollectionState] = {}

    async def state(self, name: str) -> CollectionState:
        """Raises Unavailable when it is not known yet and storage or Redis is away."""
        check_collection_name(name)
        if name not in self._states:
            tombstones = await asyncio.to_thread(Tombstones, self._store, name)
            version = await self._versions.current(name)
            # Without the version, as after the loss of Redis, any newer write is possible.
            written = int(version, 16) if version else self._clock.next()
            newest = max(written, self._newest_job(name))
            self._states.setdefault(name, CollectionState(tombstones, newest))
        return self._states[name]

    def forget_states(self) -> None:
        """Another process wrote meanwhile: what is known is read again when it is needed."""
        self._states.clear()

    async def live(self, name: str) -> PhysicalName:
        """Raises CollectionNotFound."""
        physical = await asyncio.to_thread(self.index.resolve, check_collection_name(name))
        if physical is None:
            raise CollectionNotFound(f"There is no collection {name!r}.")
        return physical

    async def fitting(self, name: str) -> PhysicalName | None:
        """The collection if this installation's encoder may write to it; None if there is none.

        Raises EncoderMismatch.
        """
        physical = await asyncio.to_thread(self.index.resolve, check_collection_name(name))
        if physical is not None and not self.fits(physical):
            raise EncoderMismatch(
                f"Collection {name!r} was filled by another encoder, word analysis or user"
                f" dictionary ({physical.encoder}, {physical.analyzer}); here they are"
                f" {self.encoding.encoder}, {self.analyzers.of(name).identity}. Rebuild it with"
                f" POST /v1/collections/{name}:rebuild, or with an index job of mode=rebuild."
            )
        return physical

    def fits(self, physical: PhysicalName) -> bool:
        wanted = (self.encoding.encoder, self.analyzers.of(physical.name).identity)
        return (physical.encoder, physical.analyzer) == wanted

    async def ensure(self, name: str) -> PhysicalName:
        """The collection, created if it is not there; the caller holds its lock."""
        physical = await self.fitting(name)
        if physical is None:
            physical = self.physical(name, self._clock.next())
            await asyncio.to_thread(self.index.create, physical, self.encoding.dimension, 0)
            await asyncio.to_thread(self.index.point, name, physical)
        return physical

    def physical(self, name: str, generation: int) -> PhysicalName:
        analyzer = self.analyzers.of(name).identity
        return PhysicalName(name, self.encoding.encoder, analyzer, generation)

    async def create(self, name: str) -> Collection:
        """Raises CollectionExists."""
        state = await self.state(name)
        async with state.lock:
            if await asyncio.to_thread(self.index.resolve, name) is not None:
                raise CollectionExists(f"Collection {name!r} exists already.")
            await self.ensure(name)
        await self._versions.move(name)
        return await self.describe(name)

    async def drop(self, name: str) -> None:
        """Removes the collection and all its generations. Raises CollectionNotFound."""
        state = await self.state(name)
        async with state.lock:
            await self.live(name)
            await asyncio.to_thread(self.index.unpoint, name)
            for physical in await asyncio.to_thread(self.index.physicals):
                if physical.name == name:
                    await asyncio.to_thread(self.index.drop, physical)
            await asyncio.to_thread(self._store.remove, _record_key(name))
            await self._versions.forget(name)

    async def describe(self, name: str) -> Collection:
        """Raises CollectionNotFound."""
        return await self._described(name, await self.live(name))

    async def list(self) -> list[Collection]:
        aliases = await asyncio.to_thread(self.index.aliases)
        return [await self._described(name, physical) for name, physical in sorted(aliases.items())]

    async def _described(self, name: str, physical: PhysicalName) -> Collection:
        version = await self._versions.current(name) or await self._versions.move(name)
        return Collection(
            name=name,
            count=await asyncio.to_thread(self.index.count, physical),
            encoder=physical.encoder,
            dimension=await asyncio.to_thread(self.index.dimension, physical),
            lexical=await asyncio.to_thread(self.index.lexical, physical),
            index=str(physical),
            index_version=version,
        )

    def previous(self, name: str) -> PhysicalName | None:
        """The generation that a rollback returns to. Synchronous; call it from a thread."""
        try:
            record = json.loads(self._store.read(_record_key(name)))
        except NoSuchObject:
            return None
        return PhysicalName.parse(record["previous"])

    def remember_previous(self, name: str, physical: PhysicalName) -> None:
        """Synchronous; durable when it returns."""
        self._store.write(_record_key(name), json.dumps({"previous": str(physical)}).encode())


def _record_key(name: str) -> str:
    return f"collections/{name}.json"
