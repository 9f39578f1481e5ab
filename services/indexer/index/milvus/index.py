"""The VectorIndex port on Milvus: the embedded milvus-lite, Milvus 2.3 and newer servers."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from opentelemetry.trace import SpanKind

from services.common.collection import PhysicalName, among, passages_name
from services.common.id_indexes import add_id_indexes
from services.common.milvus import MilvusConnection
from services.common.milvus.raw import create_collection
from services.common.milvus.words import DictionaryRows
from services.common.telemetry.tracing import span
from services.indexer.index.milvus.choice import IndexChoice
from services.indexer.index.milvus.entities import chunks, entity
from services.indexer.index.milvus.journal import Journal
from services.indexer.index.milvus.replacements import Replacements
from services.indexer.index.milvus.schema import (
    PARTITIONS,
    collection_indexes,
    collection_schema,
    passages_schema,
)
from services.indexer.index.milvus.stored import StoredRows
from services.indexer.rows import Row

logger = logging.getLogger(__name__)

_CHECK_SECONDS = 2.0


class MilvusVectorIndex(StoredRows):
    """A VectorIndex over one connection to Milvus."""

    def __init__(
        self,
        connection: MilvusConnection,
        journal: Journal,
        choice: IndexChoice | None = None,
        database: Path | None = None,
    ) -> None:
        """An index without rows of its own. `database` is the file of an embedded engine, whose new
        tables get an index by id; None stands for a server."""
        super().__init__(connection)
        self._connection = connection
        self._replacements = Replacements(journal, self._upsert)
        self._choice = choice or IndexChoice()
        self._database = database
        self._dictionaries = DictionaryRows(connection.ask)
        self._unswept = True
        """Whether killed writes may have left passages; true after a start."""
        self._writing = asyncio.Lock()
        """Lock that a write to the embedded engine holds."""

    async def check(self) -> None:
        """Raises IndexUnavailable if Milvus does not answer."""
        await self._connection.check(_CHECK_SECONDS)

    async def names(self) -> dict[str, PhysicalName]:
        """The names of all collections with the physical collections behind them."""
        names = await self._connection.names()
        there = {str(physical): physical for physical in await self.physicals()}
        return {name: there[found] for name, found in (await names.all(list(there))).items()}

    async def physicals(self) -> list[PhysicalName]:
        """The names of all physical collections."""
        names = await self._calls.names()
        return [parsed for name in names if (parsed := PhysicalName.parse(name)) is not None]

    async def resolve(self, name: str) -> PhysicalName | None:
        """The physical collection behind a name, or None."""
        names = await self._connection.names()
        physical = await names.resolve(name)
        return None if physical is None else PhysicalName.parse(physical)

    async def point(self, name: str, physical: PhysicalName) -> None:
        """Makes a name point to a physical collection, in one step."""
        names = await self._connection.names()
        async with self._writing:
            await names.point(name, str(physical))

    async def unpoint(self, name: str) -> None:
        """Removes a name; the physical collection stays."""
        names = await self._connection.names()
        async with self._writing:
            await names.unpoint(name)

    async def create(
        self,
        physical: PhysicalName,
        dimension: int,
        documents: int,
        typed: Collection[str] = (),
        words: Sequence[str] = (),
    ) -> None:
        """Creates an empty physical collection with its indexes, its user dictionary first."""
        engine = await self._connection.engine()
        schema = collection_schema(
            dimension, lexical=engine.lexical, typed=typed, partitioned=not engine.embedded
        )
        async with self._writing:
            if words:
                await self._dictionaries.write(physical, words)
            await self._make(str(physical), schema, documents, typed)

    async def _make(self, name: str, schema: Any, documents: int, typed: Collection[str]) -> None:
        """Creates a collection with its indexes; the caller holds the lock of writing."""
        engine = await self._connection.engine()
        kind, parameters = self._choice.of(documents, embedded=engine.embedded)
        indexes = collection_indexes(
            kind, parameters, lexical=engine.lexical, typed=() if engine.embedded else typed
        )

        more = {"num_partitions": PARTITIONS} if schema.partition_key_field else {}

        await self._calls.slow(
            "create", lambda client: create_collection(client, name, schema, indexes, **more)
        )
        if self._database is not None:
            await asyncio.to_thread(_add_id_indexes, self._database)

    async def create_passages(self, physical: PhysicalName) -> None:
        """Creates the empty collection of passages of a physical collection."""
        async with self._writing:
            await self._make_passages(physical)

    async def drop(self, physical: PhysicalName) -> None:
        """Drops a physical collection with its rows."""
        self._fields.pop(physical, None)
        await self._passages.drop(physical)
        await self._dictionaries.drop(physical)
        await self._calls.slow("drop", lambda client: client.drop_collection(str(physical)))

    async def load(self, physical: PhysicalName) -> None:
        """Loads a physical collection, so that it can be searched."""
        await self._passages.load(physical)
        await self._calls.slow("load", lambda client: client.load_collection(str(physical)))

    async def reload(self, physical: PhysicalName) -> None:
        """Loads a physical collection anew; the embedded engine has all in memory."""
        if not (await self._connection.engine()).embedded:
            await self._passages.reload(physical)
            await self._calls.reload(str(physical))

    async def unindexed(self, physical: PhysicalName) -> int:
        """The number of sealed rows and passages without a vector index; 0 on the embedded engine,
        which builds it as it writes."""
        if (await self._connection.engine()).embedded:
            return 0
        passages = await self._passages.unindexed(physical)
        return passages + await self._calls.unindexed(str(physical))

    async def flush(self, physical: PhysicalName) -> None:
        """Seals the rows that were written so far."""
        await self._passages.flush(physical)
        await self._calls.slow("flush", lambda client: client.flush(str(physical)))

    async def upsert(self, physical: PhysicalName, rows: Sequence[Row], version: int) -> None:
        """Writes rows: first their passages, then the rows, then passages of earlier versions are
        deleted."""
        about = {"db.system.name": "milvus", "db.collection.name": str(physical)}
        with span("milvus.upsert", kind=SpanKind.CLIENT, attributes=about):
            tears = await self._tears(physical)
            if not tears and not self._unswept:
                await self._write(physical, rows, version, self._upsert)
                return
            async with self._writing:
                if tears:
                    await self._replacements.complete()
                put = self._insert_or_replace if tears else self._upsert
                await self._write(physical, rows, version, put)

    async def recover(self) -> set[PhysicalName]:
        async with self._writing:
            await self._replacements.complete()
            if self._unswept:
                for physical in await self.physicals():
                    await self._passages.sweep(physical, partial(self._versions, physical))
                self._unswept = False
        return self._replacements.recovered()

    async def delete(self, physical: PhysicalName, ids: Sequence[str]) -> None:
        """Deletes the rows of the ids."""
        async with self._writing:
            await self._replacements.complete()
            for chunk in chunks(ids):
                await self._calls.delete(str(physical), among(chunk))
            await self._passages.remove(physical, ids)

    async def versions(self, physical: PhysicalName, ids: Sequence[str]) -> dict[str, int]:
        """The stored versions of those of the ids that have a row."""
        async with self._writing:
            await self._replacements.complete()
            return await self._versions(physical, ids)

    async def _insert_or_replace(
        self, physical: PhysicalName, rows: Sequence[Row], version: int
    ) -> None:
        """Inserts new rows and replaces the others, where a kill can tear a replacement.

        In the embedded engine an upsert costs ten times an insert, even if it replaces nothing.
        """
        there = await self._versions(physical, [row.id for row in rows])
        if new := [row for row in rows if row.id not in there]:
            columns = await self._columns(physical)
            entities = [entity(row, version, columns) for row in new]
            await self._calls.insert(str(physical), entities)
        if replaced := [row for row in rows if row.id in there]:
            await self._replacements.make(physical, replaced, version)

    async def _write(
        self,
        physical: PhysicalName,
        rows: Sequence[Row],
        version: int,
        put: Callable[[PhysicalName, Sequence[Row], int], Awaitable[None]],
    ) -> None:
        """Writes the passages of rows, then by `put` the rows, without which passages do not count,
        and then deletes the passages that were replaced."""
        await self._passages.write(physical, rows, version, lambda: self._make_passages(physical))
        await put(physical, rows, version)
        await self._passages.keep(
            physical, {row.id: version if row.version is None else row.version for row in rows}
        )

    async def _make_passages(self, physical: PhysicalName) -> None:
        lexical, typed = await self.lexical(physical), await self.typed(physical)
        schema = passages_schema(
            await self.dimension(physical),
            lexical=lexical,
            typed=typed,
            partitioned=not (await self._connection.engine()).embedded,
        )
        await self._make(passages_name(physical), schema, 0, typed)

    async def _upsert(self, physical: PhysicalName, rows: Sequence[Row], version: int) -> None:
        columns = await self._columns(physical)
        entities = [entity(row, version, columns) for row in rows]
        if await self._misplaces(physical):
            await self._calls.delete(str(physical), among([row.id for row in rows]))
            await self._calls.insert(str(physical), entities)
            return
        await self._calls.upsert(str(physical), entities)

    async def _tears(self, physical: PhysicalName) -> bool:
        """Whether a kill can leave a replacement of rows half done."""
        embedded = (await self._connection.engine()).embedded
        return embedded or await self._misplaces(physical)

    async def _misplaces(self, physical: PhysicalName) -> bool:
        """Whether rows are deleted and inserted instead of upserted."""
        if not (await self._connection.engine()).misplaces_upserts:
            return False
        columns = await self._columns(physical)
        return any(column.get("is_partition_key") for column in columns.values())


def _add_id_indexes(database: Path) -> None:
    """Makes the missing indexes by id; the engine's next start makes them if the file is locked."""
    try:
        add_id_indexes(database)
    except sqlite3.Error:
        logger.warning("a table has no index by id until the next start", exc_info=True)
