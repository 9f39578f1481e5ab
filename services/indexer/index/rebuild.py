"""Rebuilds: a new physical collection is filled, compared with the old one, and switched to."""

import asyncio
import logging
import time

from services.common.collection import PhysicalName
from services.common.errors import CollectionNotFound, Conflict, IndexUnavailable
from services.indexer.index.collections.collections import Collections
from services.indexer.index.collections.states import Building
from services.indexer.index.gate.gate import Progress, SwitchGate
from services.indexer.index.port import VectorIndex
from services.indexer.index.role import WriterRole
from services.indexer.index.writer import IndexWriter

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
_BUILD_SECONDS = 1_800.0
"""Seconds for which the vector index of a server may stand still before the job waits with the
reason. A server builds it by segments, of which a large one takes minutes."""
_SAMPLE = 50
"""Number of documents that are searched for by their own vectors."""
_SAMPLE_RANK = 10
"""Number of nearest documents among which a document counts as found."""
_SAMPLE_LOSS = 0.05
"""Share of these documents that the new collection may find less often than the old one."""


class RebuildRefused(Exception):
    """The new collection must not replace the old one; the message gives its user the reason."""


class Rebuilds:
    """Rebuilds of collections, each named by the collection that it fills.

    Every method raises IndexUnavailable, and Unavailable without the writer's role.
    """

    def __init__(
        self, collections: Collections, writer: IndexWriter, role: WriterRole, gate: SwitchGate
    ) -> None:
        self._collections = collections
        self._index: VectorIndex = collections.index
        self._writer = writer
        self._role = role
        self._gate = gate

    async def begin(self, physical: PhysicalName, since: int) -> None:
        """Creates the new collection; its index is chosen for the size of the present one.

        Once this has returned, writes of version `since` or higher go into both.
        """
        name = physical.name
        state = await self._collections.state(name)
        if state.building is None or state.building.physical != physical:
            await self._role.check()
            live = await self._index.resolve(name)
            documents = await self._index.count(live) if live else 0
            await self._collections.create_index(physical, documents)
            async with state.lock:
                state.building = Building(physical, since)

    async def switch(
        self,
        new: PhysicalName,
        expected: int,
        progress: Progress,
        *,
        force: bool,
        first: bool = False,
    ) -> str:
        """Verifies, loads and switches; the old collection stays for a rollback, unless `first`
        says that it was empty.

        Returns the message of the gate, which tells `progress` how far it is. With `force` a
        refusal of the gate is logged only. Raises RebuildRefused.
        """
        words, name = "", new.name
        state = await self._collections.state(name)
        old = await self._index.resolve(name)
        if old != new:
            await self._index.flush(new)
            if not first:  # An import ends with the index of its rows.
                await self._indexed(new, progress)
            await self._index.load(new)
            old = None if first else old
            await self._verify(new, old, expected)
            if old is not None:
                words = await self._asked(old, new, progress, force=force)
            progress("")  # From here on the switch can no longer be cancelled.
            async with state.lock:
                await self._role.check()
                if old is not None:
                    await self._collections.remember_previous(name, old)
                await self._collections.name_encoder(name, new.encoder)
                await self._index.point(name, new)
                state.building = None
            logger.info(
                "the name points to the new index", extra={"collection": name, "index": str(new)}
            )
        state.building = None
        await self.collect(name)
        return words

    async def _indexed(self, new: PhysicalName, progress: Progress) -> None:
        """Returns when the vector index of the new collection is built and loaded. Until then
        searches, those of the gate too, would miss many of the nearest documents.

        Raises IndexUnavailable if the server does not go on with it.
        """
        least, give_up = await self._index.unindexed(new), time.monotonic() + _BUILD_SECONDS
        left = least
        while left:
            progress(f"Milvus builds the vector index of the new collection; {left:,} rows wait.")
            await asyncio.sleep(_POLL_SECONDS)
            left = await self._index.unindexed(new)
            if left < least:
                least, give_up = left, time.monotonic() + _BUILD_SECONDS
            elif time.monotonic() > give_up:
                raise IndexUnavailable(
                    f"Milvus has not gone on with the vector index for {_BUILD_SECONDS / 60:.0f}"
                    f" minutes; {left:,} rows wait for it. See whether the nodes that build"
                    " indexes run."
                )
        progress("The new collection is loaded with its vector index.")
        await self._index.reload(new)

    async def _asked(
        self, old: PhysicalName, new: PhysicalName, progress: Progress, *, force: bool
    ) -> str:
        """The message of the gate on the new collection. Raises RebuildRefused."""
        outcome = await self._gate.compare(old, new, progress)
        about = {"collection": new.name, "index": str(new), "figures": outcome.words}
        if outcome.passed:
            logger.info("the new index passed the gate", extra=about)
            return outcome.words
        if force:
            logger.warning("gate overridden by force", extra=about)
            return f"Switched by force although it is worse. {outcome.words}"
        logger.warning("the gate refused the new index", extra=about)
        raise RebuildRefused(
            f"The new index answers worse than the one before, which stays. {outcome.words}"
            " Rebuild with force=true to switch all the same."
        )

    async def abandon(self, physical: PhysicalName) -> None:
        """Removes the collection of an unfinished rebuild; the old one has answered throughout."""
        state = await self._collections.state(physical.name)
        async with state.lock:
            await self._role.check()
            state.building = None
            if await self._index.resolve(physical.name) == physical:
                return
            if physical in await self._index.physicals():
                await self._index.drop(physical)

    async def collect(self, name: str) -> None:
        """Drops the generations that do not answer, are not kept for a rollback and are not being
        built."""
        state = await self._collections.state(name)
        async with state.lock:
            await self._role.check()
            live = await self._index.resolve(name)
            if live is None:  # The first generation may be under way.
                return
            previous = await self._collections.previous(name)
            kept = {live, previous, state.building.physical if state.building else None}
            for physical in await self._index.physicals():
                if physical.name == name and physical not in kept:
                    await self._index.drop(physical)
                    logger.info(
                        "an old index was dropped",
                        extra={"collection": name, "index": str(physical)},
                    )

    async def rollback(self, name: str) -> None:
        """Lets the collection before the last switch answer again; a second call undoes that.

        Raises CollectionNotFound, Conflict.
        """
        state = await self._collections.state(name)
        async with state.lock:
            await self._role.check()
            live = await self._collections.live(name)
            previous = await self._collections.previous(name)
            if previous is None or previous not in await self._index.physicals():
                raise Conflict(f"Collection {name!r} has no earlier generation to return to.")
            if state.building is not None:
                raise Conflict(f"Collection {name!r} is being rebuilt; cancel that job first.")
            await self._index.load(previous)
            await self._collections.remember_previous(name, live)
            await self._index.point(name, previous)
        await self._writer.moved(name)

    async def written(self, name: str, version: int) -> int:
        """The number of rows of one write that are in the collection now."""
        try:
            live = await self._collections.live(name)
        except CollectionNotFound:
            return 0
        return await self._index.count(live, version)

    async def _verify(self, new: PhysicalName, old: PhysicalName | None, expected: int) -> None:
        version = new.generation
        state = await self._collections.state(new.name)
        count = await self._index.count(new)
        # Writes beside the rebuild, newer than the job, add documents; deletions beside it are
        # known.
        fewest = expected - state.tombstones.since(version)
        if count < fewest or (state.newest <= version and count != expected):
            raise RebuildRefused(
                f"The new collection has {count:,} documents where {expected:,} were written;"
                " the old one stays. Retry the job."
            )
        found = await self._self_retrieval(new)
        wanted = 1.0 if old is None else await self._self_retrieval(old)
        if found < wanted - _SAMPLE_LOSS:
            raise RebuildRefused(
                f"Of up to {_SAMPLE} documents that are searched for by their own vectors, the new"
                f" collection finds {found:.0%} among the first {_SAMPLE_RANK}, the old one"
                f" {wanted:.0%}; the old one stays."
            )

    async def _self_retrieval(self, physical: PhysicalName) -> float:
        """The share of some documents that their own vectors find."""
        ids = await self._index.matching(physical, 'id != ""', _SAMPLE)
        rows = await self._index.documents(physical, ids)
        if not rows:
            return 1.0
        answers = await self._index.nearest(physical, [row.vector for row in rows], _SAMPLE_RANK)
        return sum(row.id in ids for row, ids in zip(rows, answers, strict=True)) / len(rows)
