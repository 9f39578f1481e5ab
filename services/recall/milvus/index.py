"""The DocumentIndex port on Milvus: the embedded milvus-lite, Milvus 2.3 and newer servers."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
from pymilvus import AsyncMilvusClient

from services.common.collection import (
    Field,
    PhysicalName,
    content_fields,
    content_of,
    document_id,
)
from services.common.documents import Content
from services.common.errors import CollectionNotFound, IndexUnavailable
from services.common.fields.columns import typed_columns
from services.common.fields.values import readable, texts_of
from services.common.milvus import (
    MilvusAddress,
    MilvusConnection,
    Missing,
    NoAnswerInTime,
    milvus_connection,
)
from services.common.milvus.keyed import KeyedRows
from services.common.milvus.words import DictionaryRows
from services.common.request_context import Deadline
from services.common.wire.passages import ShownPassages
from services.common.wire.rank import MAX_TEXT_CHARS
from services.recall.domain import Found, Index, Vector
from services.recall.milvus.contents import KeptContents, ReadAhead
from services.recall.milvus.leg_search import LegSearch
from services.recall.milvus.loading import Loading
from services.recall.milvus.passage_collections import PassageCollections
from services.recall.milvus.passage_search import PassageSearch
from services.recall.milvus.passages import PassageReader
from services.recall.milvus.reading import KEY_COLUMNS, Leg, Reader, late

_CHECK_SECONDS = 2.0
_FRESH_SECONDS = 2.0
"""Seconds after an answer during which the server counts as answering."""
_PAGE = 500
"""Rows that are read ahead at once."""
_AHEAD_SECONDS = 10.0
_KEY = itemgetter(Field.ID.value, Field.VERSION.value)
"""Reads a row's id and version. Plain strings: the hash of an enumeration's member is computed in
Python."""


class MilvusDocumentIndex:
    """A DocumentIndex over one connection to Milvus."""

    def __init__(self, connection: MilvusConnection, *, ef: int, nprobe: int) -> None:
        self._connection = connection
        self._known: dict[str, tuple[Index, str]] = {}
        """Each physical collection seen, with the kind of its vector index."""
        self._names: dict[str, tuple[str, str]] = {}
        """The physical collection behind each name, with the index version at which the server told
        it."""
        self._contents = KeptContents()
        self._ahead = ReadAhead(self._contents)
        self._reader = Reader(connection, KeyedRows(connection))
        collections = PassageCollections(self._reader)
        self._passages = PassageReader(self._reader, self._contents, collections)
        search = PassageSearch(self._reader, collections)
        self._legs = LegSearch(self._reader, search, ef, nprobe)
        self._dictionaries = DictionaryRows(connection.ask)
        self._loading = Loading(connection)

    async def check(self) -> None:
        """Raises IndexUnavailable unless Milvus answers or did so within the last two seconds, and
        has the collections in memory."""
        if not self._loading.running and self._connection.silent_seconds > _FRESH_SECONDS:
            await self._connection.check(_CHECK_SECONDS)
        await self._loading.check(_CHECK_SECONDS)

    async def aclose(self) -> None:
        """Ends what goes on in the background."""
        await self._loading.aclose()
        await self._ahead.aclose()

    async def resolve(
        self, collection: str, deadline: Deadline, version: str | None = None
    ) -> Index:
        known, physical = self._names.get(collection, ("", ""))
        if version != known:
            physical = await self._resolved(collection, deadline)
            if version is not None:
                self._names[collection] = (version, physical)
        try:
            return await self.of_physical(physical, deadline)
        except Missing as error:
            raise self._replaced(physical) from error

    async def _resolved(self, collection: str, deadline: Deadline) -> str:
        try:
            names = await self._connection.names(deadline.remaining())
            physical = await names.resolve(collection, deadline.remaining())
        except NoAnswerInTime as error:
            raise late() from error
        if physical is None:
            raise CollectionNotFound(
                f"There is no collection {collection}; an index job creates it."
            )
        return physical

    async def of_physical(self, physical: str, deadline: Deadline) -> Index:
        if physical not in self._known:
            self._known[physical] = await self._described(physical, deadline)
        return self._known[physical][0]

    async def nearest(
        self, index: Index, vector: Vector, n: int, expression: str, deadline: Deadline
    ) -> Sequence[Found]:
        return await self._leg(index, self._legs.dense(vector, n, expression), deadline)

    async def matching(
        self,
        index: Index,
        ways: Sequence[Sequence[str]],
        n: int,
        expression: str,
        deadline: Deadline,
    ) -> Sequence[Found]:
        return await self._leg(index, self._legs.lexical(ways, n, expression), deadline)

    async def there(
        self, index: Index, ids: Sequence[str], expression: str, deadline: Deadline
    ) -> list[Found]:
        versions = await self._reader.versions(
            index.physical, ids, index.server_time, deadline, expression
        )
        return [Found(one, 0.0, version=versions[one]) for one in ids if one in versions]

    async def with_texts(
        self, index: Index, found: Sequence[Found], deadline: Deadline
    ) -> list[Found]:
        keys = [(one.id, one.version) for one in found]
        stored = await self.documents(index.physical, keys, index.server_time, deadline)
        contents = {content.id: content for content in stored}
        known = [
            one._replace(
                title=content.title,
                text=content.text[:MAX_TEXT_CHARS],
                values=texts_of(content.fields),
            )
            if (content := contents.get(one.id))
            else one
            for one in found
        ]
        return await self._passages.with_texts(index, known, deadline)

    async def passages(
        self, index: Index, numbers: Mapping[str, Sequence[int]], deadline: Deadline
    ) -> Mapping[str, ShownPassages]:
        return await self._passages.shown(index, numbers, deadline)

    def bodies(
        self, index: Index, ids: Sequence[str], deadline: Deadline
    ) -> AsyncIterator[Mapping[str, str]]:
        return self._passages.bodies(index, ids, deadline)

    async def words(self, index: Index, deadline: Deadline) -> list[str] | None:
        try:
            return await self._dictionaries.read(index.physical, deadline.remaining())
        except NoAnswerInTime as error:
            raise late() from error

    async def documents(
        self,
        physical: str,
        keys: Sequence[tuple[str, int | None]],
        server_time: int | None,
        deadline: Deadline,
    ) -> list[Content]:
        kept = self._contents.of(physical, keys)
        if not (unknown := [identity for identity, _ in keys if identity not in kept]):
            return [*kept.values()]
        self._ahead.missed(physical, partial(self._page, physical))
        columns = _with_version(physical)
        rows = await self._reader.rows(physical, unknown, columns, server_time, deadline)
        return [*kept.values(), *(content for _, content in self._keep(physical, rows))]

    async def vector(self, index: Index, identity: str, deadline: Deadline) -> Vector | None:
        rows = await self._reader.rows(
            index.physical, [identity], [Field.VECTOR], index.server_time, deadline
        )
        return np.asarray(rows[0][Field.VECTOR], dtype=np.float32) if rows else None

    async def keys(
        self, index: Index, expression: str, most: int, deadline: Deadline
    ) -> list[tuple[str, int]]:
        rows = await self._reader.behind(
            index.physical, "", most, expression, KEY_COLUMNS, index.server_time, deadline
        )
        return [(document_id(stored), version) for stored, version in map(_KEY, rows)]

    async def titles(
        self, index: Index, behind: str, most: int, deadline: Deadline
    ) -> list[tuple[str, str, Mapping[str, Any]]]:
        columns = [Field.ID, Field.TITLE, Field.FIELDS]
        rows = await self._reader.behind(
            index.physical, behind, most, "", columns, index.server_time, deadline
        )
        return [
            (document_id(row[Field.ID]), row[Field.TITLE], readable(row[Field.FIELDS]))
            for row in rows
        ]

    async def fields(
        self, index: Index, ids: Sequence[str], deadline: Deadline
    ) -> list[tuple[str, int, Mapping[str, Any]]]:
        return [
            (document_id(row[Field.ID]), int(row[Field.VERSION]), readable(row[Field.FIELDS]))
            for row in await self._reader.rows(
                index.physical, ids, [*KEY_COLUMNS, Field.FIELDS], index.server_time, deadline
            )
        ]

    async def _page(self, physical: str, behind: str) -> list[tuple[int, Content]]:
        """Reads rows ahead, as Page says."""
        deadline, columns = Deadline.after(_AHEAD_SECONDS), _with_version(physical)
        rows = await self._reader.behind(physical, behind, _PAGE, "", columns, None, deadline)
        return self._keep(physical, rows)

    def _keep(self, physical: str, rows: Sequence[Mapping[str, Any]]) -> list[tuple[int, Content]]:
        """Versions and contents of rows, which are kept in memory."""
        contents = [(int(row[Field.VERSION]), content_of(row)) for row in rows]
        for version, content in contents:
            self._contents.put((physical, content.id, version), content)
        return contents

    async def _described(self, physical: str, deadline: Deadline) -> tuple[Index, str]:
        name = _parsed(physical)

        async def describe(client: AsyncMilvusClient) -> tuple[Any, Any]:
            schema = await client.describe_collection(physical)
            return schema, await client.describe_index(physical, Field.VECTOR)

        schema, vectors = await self._reader.ask("describe", describe, physical, deadline)
        fields = {field["name"] for field in schema["fields"]}
        index = Index(
            physical,
            name.encoder,
            name.analyzer,
            lexical=Field.LEXICAL in fields,
            filters=Field.FACETS in fields,
            typed=typed_columns(fields),
        )
        return index, str(vectors["index_type"])

    async def _leg(self, index: Index, leg: Leg, deadline: Deadline) -> Sequence[Found]:
        known = self._known.get(index.physical)
        if known is None:  # Another leg has found out meanwhile that the collection is gone.
            raise self._replaced(index.physical)
        try:
            return await self._legs.found(index, leg, known[1], deadline)
        except Missing as error:
            raise self._replaced(index.physical) from error

    def _replaced(self, physical: str) -> IndexUnavailable:
        """Forgets a collection that is no longer there, and gives the error that says so."""
        self._known.pop(physical, None)
        self._names = {name: known for name, known in self._names.items() if known[1] != physical}
        return IndexUnavailable("The index was just replaced; try again.")


def _with_version(physical: str) -> list[Field]:
    """The columns of the content and of the version of a collection's rows."""
    return [*content_fields(_parsed(physical).layout), Field.VERSION]


def _parsed(physical: str) -> PhysicalName:
    name = PhysicalName.parse(physical)
    if name is None:
        raise CollectionNotFound(f"{physical} is not a collection of this system.")
    return name


@asynccontextmanager
async def milvus_document_index(
    address: MilvusAddress, *, ef: int, nprobe: int
) -> AsyncIterator[MilvusDocumentIndex]:
    """An index whose connection is closed with the context."""
    async with milvus_connection(address) as connection:
        index = MilvusDocumentIndex(connection, ef=ef, nprobe=nprobe)
        try:
            yield index
        finally:
            await index.aclose()
