"""Imports: a new physical collection is filled by Milvus's bulk import.

The rows lie in the indexer's storage as small tables, one for each part of a job. They are put
together to files in a place that Milvus reads, imported, and counted. The steps begin anew after a
kill, with an empty collection, so no row is there twice.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.collection import PhysicalName, passages_name
from services.common.errors import Conflict, InvalidRequest, Unavailable
from services.indexer.index.collections.collections import Collections
from services.indexer.index.collections.states import Building
from services.indexer.index.gate.gate import Progress
from services.indexer.index.imports.bulk_import import BulkImport, ImportFailed
from services.indexer.index.imports.files import TableLost, next_file
from services.indexer.index.rebuild import RebuildRefused
from services.indexer.index.role import WriterRole
from services.indexer.store import ObjectStore

_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 300.0
"""Seconds for which an import is waited for while Milvus does not answer, and for which the rows
are counted until all are found."""

_PLACE_MISSING = (
    "mode: the bulk import needs a place from which Milvus reads files: set"
    " XUNWEN_INDEXER_IMPORT_URL, or use mode=upsert."
)


@dataclass(frozen=True, slots=True)
class Tables:
    """The stored tables of a kind of rows, of which there are `rows` together."""

    keys: Sequence[str]
    rows: int


class Imports:
    """Imports into collections that no job and no document was written to.

    Every method raises IndexUnavailable, and Unavailable without the writer's role.
    """

    def __init__(
        self,
        collections: Collections,
        bulk: BulkImport,
        role: WriterRole,
        stored: ObjectStore,
        place: ObjectStore | None,
    ) -> None:
        """`stored` has the tables; `place` is where Milvus reads files, None if there is none."""
        self._collections = collections
        self._index = collections.index
        self._bulk = bulk
        self._role = role
        self._stored = stored
        self._place = place

    async def check(self, name: str) -> None:
        """Raises InvalidRequest if this system cannot import, and Conflict if the collection has
        documents."""
        if self._place is None:
            raise InvalidRequest(_PLACE_MISSING)
        await self._bulk.check()
        await self._check_empty(name, None)

    async def begin(self, physical: PhysicalName) -> None:
        """Creates the collection that is filled. No write may be accepted any more. Raises Conflict
        if one came before, so that the collection has documents."""
        state = await self._collections.state(physical.name)
        async with state.lock:  # Writes that were under way have ended then.
            await self._role.check()
            await self._check_empty(physical.name, physical)
            await self._collections.create_index(physical, 0)
            state.building = Building(physical, physical.generation)

    async def fill(
        self, physical: PhysicalName, rows: Tables, passages: Tables, progress: Progress
    ) -> None:
        """Imports the rows; all of them can be searched when this returns. It may be cancelled.

        Raises RebuildRefused if Milvus does not import them, and InvalidRequest without a place.
        """
        place = self._place
        if place is None:
            raise InvalidRequest(_PLACE_MISSING)
        if await self._index.resolve(physical.name) == physical:
            return  # A kill came after the switch.
        await self._role.check()
        await self.settled(physical)
        await self._index.drop(physical)
        await self._collections.create_index(physical, rows.rows)
        wanted = {str(physical): rows}
        if passages.rows:
            await self._index.create_passages(physical)
            wanted[passages_name(physical)] = passages
        await self.clear(physical)
        numbers: list[int] = []
        for collection, tables in wanted.items():
            left = list(tables.keys)
            while left:
                progress(f"The files for Milvus are being written; it has {len(numbers)} of them.")
                key = f"{physical}/{len(numbers):06d}.parquet"
                try:
                    await _written(self._stored, left, place, key)
                except TableLost:
                    raise RebuildRefused(
                        "Rows that workers stored for the import are gone or damaged, so nothing"
                        " was written. Retry the job, which makes them again."
                    ) from None
                await self._role.check()
                numbers.append(await self._bulk.start(collection, place.location(key)))
        await self._completed(numbers, progress)
        await self._role.check()
        progress("The imported rows are counted.")
        await self._index.reload(physical)
        for collection, tables in wanted.items():
            await self._counted(collection, tables.rows)

    async def settled(self, physical: PhysicalName) -> None:
        """Returns when an earlier import into the collection does not hinder its removal."""
        for collection in (str(physical), passages_name(physical)):
            while await self._bulk.under_way(collection):  # noqa: ASYNC110 - a server's state
                await asyncio.sleep(_POLL_SECONDS)

    async def clear(self, physical: PhysicalName) -> None:
        """Removes the files that Milvus read or was to read."""
        if self._place is not None:
            await asyncio.to_thread(self._place.remove, str(physical))

    async def _check_empty(self, name: str, filled: PhysicalName | None) -> None:
        live = await self._index.resolve(name)
        if live is None or live == filled:
            return
        if count := await self._index.count(live):
            raise Conflict(
                f"Collection {name!r} has {count:,} documents, and an import fills an empty one"
                " only; use mode=upsert, or another collection."
            )

    async def _completed(self, numbers: Sequence[int], progress: Progress) -> None:
        """Waits until all imports have ended. Raises RebuildRefused."""
        answered = time.monotonic()
        for done, number in enumerate(numbers):
            progress(f"Milvus imports the rows; {done} of {len(numbers)} files are done.")
            while True:
                try:
                    if await self._bulk.completed(number):
                        break
                    answered = time.monotonic()
                except ImportFailed:
                    raise RebuildRefused(
                        "Milvus gave the import up, so nothing was written. The indexer's log has"
                        " the reason; often Milvus does not read the place that"
                        " XUNWEN_INDEXER_IMPORT_URL names."
                    ) from None
                except Unavailable:
                    if time.monotonic() - answered > _PATIENCE_SECONDS:
                        raise
                await asyncio.sleep(_POLL_SECONDS)

    async def _counted(self, collection: str, wanted: int) -> None:
        """Waits until so many rows are found. Raises RebuildRefused if there are others."""
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while (found := await self._index.rows_of(collection)) != wanted:
            if found > wanted or time.monotonic() > give_up:
                raise RebuildRefused(
                    f"Milvus imported {found:,} rows where {wanted:,} were sent, so nothing was"
                    " written. Retry the job, or send it with mode=upsert."
                )
            await asyncio.sleep(_POLL_SECONDS)


async def _written(source: ObjectStore, tables: list[str], target: ObjectStore, key: str) -> None:
    """`next_file` in a thread. If it is cancelled, it ends when the thread has ended, so that no
    file appears later. Raises TableLost, Unavailable."""
    stopped = threading.Event()
    writing = asyncio.ensure_future(
        asyncio.to_thread(next_file, source, tables, target, key, stopped.is_set)
    )
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.wait([writing])
        raise
