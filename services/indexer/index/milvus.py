"""The VectorIndex port on Milvus: the embedded milvus-lite, Milvus 2.3 and newer servers."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from opentelemetry.trace import SpanKind
from pymilvus import AsyncMilvusClient

from services.common.collection import Field, PhysicalName, document_id
from services.common.id_indexes import add_id_indexes
from services.common.milvus import MilvusConnection, Missing
from services.common.milvus.words import DictionaryRows
from services.common.tracing import span
from services.common.typed_columns import typed_columns
from services.indexer.index.choice import IndexChoice
from services.indexer.index.entities import after, among, chunks, entity, row_fields, row_of
from services.indexer.index.journal import Journal, Replacement
from services.indexer.index.passages import PassageRows
from services.indexer.index.schema import (
    PARTITIONS,
    collection_indexes,
    collection_schema,
    passages_schema,
)
from services.indexer.rows import Row, Vector, without_body

logger = logging.getLogger(__name__)

_CHECK_SECONDS = 2.0
_CALL_SECONDS = 30.0
_SLOW_SECONDS = 300.0
"""Timeout in seconds of calls that wait for background work: creating, loading, flushing and
dropping."""
_SCAN_ROWS = 1000

Answer = TypeVar("Answer")
Call = Callable[[AsyncMilvusClient], Awaitable[Answer]]


class MilvusVectorIndex:
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
        self._connection = connection
        self._journal = journal
        self._choice = choice or IndexChoice()
        self._database = database
        self._passages = PassageRows(connection)
        self._dictionaries = DictionaryRows(connection.ask)
        self._unswept = True
        """Whether killed writes may have left passages; true after a start."""
        self._writing = asyncio.Lock()
        """Lock that a write to the embedded engine holds. Replacements that the journal holds while
        the lock is free were torn by a kill."""
        self._torn = True
        """Whether the journal may hold replacements that a kill tore; true after a start."""
        self._recovered: set[PhysicalName] = set()
        self._fields: dict[PhysicalName, dict[str, Any]] = {}
        """Columns by name of each collection seen; a schema never changes."""

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
        names = await self._connection.ask(
            "list", lambda client: client.list_collections(), _CALL_SECONDS
        )
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

        async def create(client: AsyncMilvusClient) -> None:
            if not await client.has_collection(name):
                await client.create_collection(name, schema=schema, index_params=indexes, **more)
            await client.load_collection(name)

        await self._connection.ask("create", create, _SLOW_SECONDS)
        if self._database is not None:
            await asyncio.to_thread(_add_id_indexes, self._database)

    async def drop(self, physical: PhysicalName) -> None:
        """Drops a physical collection with its rows."""
        self._fields.pop(physical, None)
        await self._passages.drop(physical)
        await self._dictionaries.drop(physical)
        await self._slow("drop", lambda client: client.drop_collection(str(physical)))

    async def load(self, physical: PhysicalName) -> None:
        """Loads a physical collection, so that it can be searched."""
        await self._passages.load(physical)
        await self._slow("load", lambda client: client.load_collection(str(physical)))

    async def flush(self, physical: PhysicalName) -> None:
        """Seals the rows that were written so far."""
        await self._passages.flush(physical)
        await self._slow("flush", lambda client: client.flush(str(physical)))

    async def lexical(self, physical: PhysicalName) -> bool:
        """Whether a physical collection can be searched by words."""
        return Field.LEXICAL in await self._columns(physical)

    async def typed(self, physical: PhysicalName) -> frozenset[str]:
        """The columns of a physical collection for fields of declared types."""
        return typed_columns(await self._columns(physical))

    async def dimension(self, physical: PhysicalName) -> int:
        """The dimension of the vectors of a physical collection."""
        columns = await self._columns(physical)
        return int(columns[Field.VECTOR]["params"]["dim"])

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
                    await self._complete()
                put = self._insert_or_replace if tears else self._upsert
                await self._write(physical, rows, version, put)

    async def recover(self) -> set[PhysicalName]:
        async with self._writing:
            await self._complete()
            if self._unswept:
                for physical in await self.physicals():
                    await self._passages.sweep(physical, partial(self._versions, physical))
                self._unswept = False
        recovered, self._recovered = self._recovered, set()
        return recovered

    async def delete(self, physical: PhysicalName, ids: Sequence[str]) -> None:
        """Deletes the rows of the ids."""
        async with self._writing:
            await self._complete()
            for chunk in chunks(ids):
                await self._delete(physical, among(chunk))
            await self._passages.remove(physical, ids)

    async def versions(self, physical: PhysicalName, ids: Sequence[str]) -> dict[str, int]:
        """The stored versions of those of the ids that have a row."""
        async with self._writing:
            await self._complete()
            return await self._versions(physical, ids)

    async def documents(self, physical: PhysicalName, ids: Sequence[str]) -> list[Row]:
        """The stored rows of those of the ids that have one."""
        rows: list[dict[str, Any]] = []
        for chunk in chunks(ids):
            rows += await self._query(physical, among(chunk), row_fields(physical.layout))
        return [row_of(row) for row in rows]

    def with_bodies(
        self, physical: PhysicalName, rows: Sequence[Row], *, vectors: bool = False
    ) -> AsyncIterator[list[Row]]:
        """The rows with their bodies and passages, in the same order and some at a time."""
        return self._passages.with_bodies(physical, rows, vectors=vectors)

    async def matching(self, physical: PhysicalName, expression: str, limit: int) -> list[str]:
        """Ids of documents that match an expression, at most `limit`."""
        rows = await self._query(physical, expression, [Field.ID], limit=limit)
        return [document_id(row[Field.ID]) for row in rows]

    async def page(
        self,
        physical: PhysicalName,
        behind: str,
        limit: int,
        expression: str = "",
        *,
        vectors: bool = True,
    ) -> list[Row]:
        """At most `limit` rows behind an id, in the order of ids, that match an expression."""
        rows = await self._query(
            physical,
            f"{after(behind)} and {expression}" if expression else after(behind),
            row_fields(physical.layout, vectors=vectors),
            limit=limit,
            reduce_stop_for_best=True,  # Without it Milvus may return any rows behind the id.
        )
        return [row_of(row) for row in rows]

    async def scan(self, physical: PhysicalName) -> AsyncIterator[Row]:
        """All rows of a physical collection with their bodies, in the order of their ids."""
        async for page in self.pages(physical):
            async for rows in self.with_bodies(physical, page):
                for row in rows:
                    yield row

    async def pages(
        self, physical: PhysicalName, expression: str = "", *, vectors: bool = True
    ) -> AsyncIterator[list[Row]]:
        """All rows that match an expression, in the order of ids, some at a time."""
        last = ""
        while rows := await self.page(physical, last, _SCAN_ROWS, expression, vectors=vectors):
            yield rows
            if len(rows) < _SCAN_ROWS:
                return
            last = rows[-1].id

    async def nearest(
        self, physical: PhysicalName, vectors: Sequence[Vector], k: int
    ) -> list[list[str]]:
        """For each vector the ids of the rows nearest to it, the nearest first."""
        answers = await self._ask(
            physical,
            "search",
            lambda client: client.search(
                str(physical),
                data=[vector.tolist() for vector in vectors],
                anns_field=Field.VECTOR,
                limit=k,
                search_params={"metric_type": "IP", "params": {"ef": max(64, k)}},
                output_fields=[Field.ID],
                consistency_level="Strong",
            ),
        )
        return [[document_id(hit[Field.ID]) for hit in hits] for hits in answers]

    async def count(self, physical: PhysicalName, version: int | None = None) -> int:
        """The number of documents of a physical collection, or of those with the given version."""
        expression = "" if version is None else f"{Field.VERSION} == {version}"
        rows = await self._query(physical, expression, ["count(*)"])
        return int(rows[0]["count(*)"])

    async def _insert_or_replace(
        self, physical: PhysicalName, rows: Sequence[Row], version: int
    ) -> None:
        """Inserts new rows and replaces the others, where a kill can tear a replacement.

        Therefore the journal holds the replaced rows meanwhile. In the embedded engine an upsert
        costs ten times an insert, even if it replaces nothing.
        """
        there = await self._versions(physical, [row.id for row in rows])
        if new := [row for row in rows if row.id not in there]:
            columns = await self._columns(physical)
            entities = [entity(row, version, columns) for row in new]
            await self._ask(
                physical, "write", lambda client: client.insert(str(physical), entities)
            )
        if replaced := [row for row in rows if row.id in there]:
            self._torn = True
            noted = Replacement(physical, [*map(without_body, replaced)], version)
            async with self._journal.noted(noted):
                await self._upsert(physical, replaced, version)
            self._torn = False

    async def _write(
        self,
        physical: PhysicalName,
        rows: Sequence[Row],
        version: int,
        put: Callable[[PhysicalName, Sequence[Row], int], Awaitable[None]],
    ) -> None:
        """Writes the passages of rows, then by `put` the rows, without which passages do not count,
        and then deletes the passages that were replaced."""
        await self._passages.write(
            physical, rows, version, lambda name: self._make_passages(name, physical)
        )
        await put(physical, rows, version)
        await self._passages.keep(
            physical, {row.id: version if row.version is None else row.version for row in rows}
        )

    async def _make_passages(self, name: str, physical: PhysicalName) -> None:
        lexical, typed = await self.lexical(physical), await self.typed(physical)
        schema = passages_schema(
            await self.dimension(physical),
            lexical=lexical,
            typed=typed,
            partitioned=not (await self._connection.engine()).embedded,
        )
        await self._make(name, schema, 0, typed)

    async def _complete(self) -> None:
        """Writes the replacements in the journal again; the caller holds the lock of writing."""
        if not self._torn:
            return
        for replacement in await self._journal.left():
            with suppress(Missing):  # The collection may have been dropped.
                await self._upsert(replacement.physical, replacement.rows, replacement.version)
                self._recovered.add(replacement.physical)
            await self._journal.forget(replacement)
        self._torn = False

    async def _upsert(self, physical: PhysicalName, rows: Sequence[Row], version: int) -> None:
        columns = await self._columns(physical)
        entities = [entity(row, version, columns) for row in rows]
        if await self._misplaces(physical):
            await self._delete(physical, among([row.id for row in rows]))
            await self._ask(
                physical, "write", lambda client: client.insert(str(physical), entities)
            )
            return
        await self._ask(physical, "write", lambda client: client.upsert(str(physical), entities))

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

    async def _delete(self, physical: PhysicalName, expression: str) -> None:
        # The ids go into an expression, because the client's own list of ids quotes nothing.
        await self._ask(
            physical, "delete", lambda client: client.delete(str(physical), filter=expression)
        )

    async def _versions(self, physical: PhysicalName, ids: Sequence[str]) -> dict[str, int]:
        versions: dict[str, int] = {}
        for chunk in chunks(ids):
            rows = await self._query(physical, among(chunk), [Field.ID, Field.VERSION])
            versions.update((document_id(row[Field.ID]), int(row[Field.VERSION])) for row in rows)
        return versions

    async def _columns(self, physical: PhysicalName) -> dict[str, Any]:
        if physical not in self._fields:
            described = await self._ask(
                physical, "describe", lambda client: client.describe_collection(str(physical))
            )
            self._fields[physical] = {item["name"]: item for item in described["fields"]}
        return self._fields[physical]

    async def _query(
        self, physical: PhysicalName, expression: str, fields: Sequence[str], **options: Any
    ) -> list[dict[str, Any]]:
        rows = await self._ask(
            physical,
            "query",
            lambda client: client.query(
                str(physical),
                filter=expression,
                output_fields=list(fields),
                consistency_level="Strong",
                **options,
            ),
        )
        return list(rows)

    async def _ask(self, physical: PhysicalName, what: str, call: Call[Answer]) -> Answer:
        return await self._connection.ask(what, call, _CALL_SECONDS, str(physical))

    async def _slow(self, what: str, call: Call[Any]) -> None:
        await self._connection.ask(what, call, _SLOW_SECONDS)


def _add_id_indexes(database: Path) -> None:
    """Makes the missing indexes by id; the engine's next start makes them if the file is locked."""
    try:
        add_id_indexes(database)
    except sqlite3.Error:
        logger.warning("a table has no index by id until the next start", exc_info=True)
