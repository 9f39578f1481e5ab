"""The states of collections in this process, the only writer."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from services.common.collection import PhysicalName, check_collection_name
from services.common.fields.types import FieldType
from services.common.versions import IndexVersions, moment_of
from services.indexer.index.collections.clock import VersionClock
from services.indexer.index.collections.records import CollectionRecords
from services.indexer.index.collections.tombstones import Tombstones
from services.indexer.store import ObjectStore


class Versions(IndexVersions, Protocol):
    """The store of index versions, as the writer needs it."""

    async def forget(self, collection: str) -> None:
        """Removes the version of a deleted collection. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Building:
    """A collection that a rebuild fills."""

    physical: PhysicalName
    since: int
    """Version from which on writes go into this collection as well as into the live one."""


@dataclass(slots=True)
class CollectionState:
    """The state of a collection in this process, the only writer; `lock` guards it."""

    tombstones: Tombstones
    newest: int
    """The highest version of a write that was accepted for this collection."""
    types: Mapping[str, FieldType]
    """Declared types of the fields of documents."""
    partition_key: str | None
    """Field that names the partition of a document; None if there are no partitions."""
    lock: asyncio.Lock
    building: Building | None = None


@dataclass(frozen=True, slots=True)
class States:
    """The states by name, each read from storage and Redis at the first call."""

    store: ObjectStore
    records: CollectionRecords
    versions: Versions
    clock: VersionClock
    newest_job: Callable[[str], int]
    """The highest version of a collection's jobs."""
    _known: dict[str, CollectionState] = field(default_factory=dict, init=False)
    _locks: defaultdict[str, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock), init=False
    )

    def lock(self, name: str) -> asyncio.Lock:
        """The lock of the state of a collection, also of one that cannot be read."""
        return self._locks[check_collection_name(name)]

    async def of(self, name: str) -> CollectionState:
        """The state of a collection.

        Raises InvalidRequest for an impossible name, Unavailable while storage or Redis is away and
        the state has not been read yet, and StorageDamaged.
        """
        check_collection_name(name)
        if name not in self._known:
            tombstones = await Tombstones.read(self.store, name)
            version = await self.versions.current(name)
            # Without a version, as after the loss of Redis, there may be writes of any time.
            written = moment_of(version) if version else self.clock.next()
            newest = max(written, self.newest_job(name))
            # After a step back of the system's clock, new writes must still be the newer ones.
            self.clock.seen(max(newest, tombstones.newest))
            record = await self.records.read(name)
            self._known.setdefault(
                name,
                CollectionState(
                    tombstones, newest, record.types, record.partition_key, self.lock(name)
                ),
            )
        return self._known[name]

    def dropped(self, name: str) -> None:
        """Makes the state of a collection that of one that was never written to."""
        state = self._known.get(name)
        if state is not None:
            state.tombstones = Tombstones(self.store, name)
            state.types, state.partition_key, state.building = {}, None, None

    def forget(self) -> None:
        """Drops every state, since another process was the writer meanwhile; states are then read
        again."""
        self._known.clear()
