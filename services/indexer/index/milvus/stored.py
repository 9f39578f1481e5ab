"""Reads of the rows of physical collections."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from services.common.collection import Field, PhysicalName, among, document_id
from services.common.fields.columns import typed_columns
from services.common.milvus import MilvusConnection
from services.indexer.index.milvus.calls import Calls
from services.indexer.index.milvus.entities import chunks, row_fields, row_of
from services.indexer.index.milvus.passages import PassageRows
from services.indexer.rows import Row, Vector

_SCAN_ROWS = 1000


class StoredRows:
    """The half of a VectorIndex on Milvus that reads."""

    def __init__(self, connection: MilvusConnection) -> None:
        self._calls = Calls(connection)
        self._passages = PassageRows(self._calls)
        self._fields: dict[PhysicalName, dict[str, Any]] = {}
        """Columns by name of each collection seen; a schema never changes."""

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

    async def documents(self, physical: PhysicalName, ids: Sequence[str]) -> list[Row]:
        """The stored rows of those of the ids that have one."""
        rows: list[dict[str, Any]] = []
        for chunk in chunks(ids):
            rows += await self._calls.query(
                str(physical), among(chunk), row_fields(physical.layout)
            )
        return [row_of(row) for row in rows]

    def with_bodies(
        self, physical: PhysicalName, rows: Sequence[Row], *, vectors: bool = False
    ) -> AsyncIterator[list[Row]]:
        """Rows that were read back, with their bodies and passages, in the same order and some at a
        time."""
        return self._passages.with_bodies(physical, rows, vectors=vectors)

    async def matching(self, physical: PhysicalName, expression: str, limit: int) -> list[str]:
        """Ids of documents that match an expression, at most `limit`."""
        rows = await self._calls.query(str(physical), expression, [Field.ID], limit=limit)
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
        """The first `limit` rows behind an id, in the order of ids, that match an expression; fewer
        only if there are no more."""
        columns = row_fields(physical.layout, vectors=vectors)
        rows = await self._calls.behind(str(physical), behind, limit, expression, columns)
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
        answers = await self._calls.ask(
            str(physical),
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

    async def rows_of(self, collection: str) -> int:
        """The number of rows of a collection by its own name, those of one id counted each."""
        rows = await self._calls.query(collection, "", ["count(*)"])
        return int(rows[0]["count(*)"])

    async def count(self, physical: PhysicalName, version: int | None = None) -> int:
        """The number of documents of a physical collection, or of those with the given version."""
        expression = "" if version is None else f"{Field.VERSION} == {version}"
        rows = await self._calls.query(str(physical), expression, ["count(*)"])
        return int(rows[0]["count(*)"])

    async def _versions(self, physical: PhysicalName, ids: Sequence[str]) -> dict[str, int]:
        versions: dict[str, int] = {}
        for chunk in chunks(ids):
            rows = await self._calls.rows(str(physical), chunk, [Field.ID, Field.VERSION])
            versions.update((document_id(row[Field.ID]), int(row[Field.VERSION])) for row in rows)
        return versions

    async def _columns(self, physical: PhysicalName) -> dict[str, Any]:
        if physical not in self._fields:
            self._fields[physical] = await self._calls.columns(str(physical))
        return self._fields[physical]
