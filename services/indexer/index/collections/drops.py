"""Removes collections with all that belongs to them.

A drop is noted in storage until it is complete. One that a kill or a failure interrupted is
finished before anything else is written under the name, so that a new collection inherits nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from services.common.collection import PhysicalName
from services.indexer.index.collections.records import CollectionRecords
from services.indexer.index.collections.states import States, Versions
from services.indexer.index.collections.tombstones import Tombstones
from services.indexer.index.collections.words import WordAnalyses
from services.indexer.index.gate.golden import GoldenSets
from services.indexer.index.port import VectorIndex
from services.indexer.originals import Originals
from services.indexer.store import ObjectStore

_PREFIX = "drops"


@dataclass(slots=True)
class Drops:
    """The drops of the one writer. Every method raises Unavailable, also without the writer's role,
    and IndexUnavailable. The caller holds the lock of the collection's state."""

    index: VectorIndex
    store: ObjectStore
    records: CollectionRecords
    words: WordAnalyses
    versions: Versions
    states: States
    check: Callable[[], Awaitable[None]]
    """Raises Unavailable if this process is not the writer."""
    _begun: set[str] | None = field(default=None, init=False)
    """Names of the collections whose drop is not complete; None before they were read."""

    def forget(self) -> None:
        """Forgets what is known, since another process was the writer meanwhile."""
        self._begun = None

    async def begun(self) -> set[str]:
        """Names of the collections whose drop is not complete. No lock is needed."""
        if self._begun is None:
            self._begun = set(await asyncio.to_thread(self.store.names, _PREFIX))
        return self._begun

    async def begin(self, name: str) -> None:
        """Notes the drop of a collection, which is decided when this returns."""
        await self.check()
        begun = await self.begun()
        await asyncio.to_thread(self.store.write, _key(name), b"")
        begun.add(name)

    async def complete(self, name: str) -> None:
        """Removes a collection whose drop was begun, all its generations, and what belongs to it;
        does nothing if no drop was begun."""
        if name not in await self.begun():
            return
        await self.check()
        # Another process may have completed it since it was read here.
        if await asyncio.to_thread(self.store.exists, _key(name)):
            await self._remove(name)
            await asyncio.to_thread(self.store.remove, _key(name))
        (await self.begun()).discard(name)

    async def _remove(self, name: str) -> None:
        if await self.index.resolve(name) is not None:
            await self.index.unpoint(name)
        for physical in await self._generations(name):
            await self.index.drop(physical)
        await asyncio.to_thread(Originals(self.store).drop, name)
        await GoldenSets(self.store).remove(name)
        await self.records.remove(name)
        await self.words.remove(name)
        await Tombstones.remove(self.store, name)
        await self.versions.forget(name)
        self.states.dropped(name)

    async def _generations(self, name: str) -> list[PhysicalName]:
        return [one for one in await self.index.physicals() if one.name == name]


def _key(name: str) -> str:
    return f"{_PREFIX}/{name}"
