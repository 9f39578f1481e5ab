"""Passages of documents, in a collection of their own beside that of their documents.

It is made when the first document with a body is written. A passage is named by its document, the
version of the document and its number, so the passages of a new version are written beside those of
the old one. The version of the document's row decides: once that is written, searches find the new
passages and not the old ones, and never those that a kill has left behind.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from pymilvus import AsyncMilvusClient

from services.common.collection import (
    Field,
    PassageField,
    PassageKey,
    PhysicalName,
    id_literal,
    passages_name,
    stored_id,
)
from services.common.filters import facets
from services.common.milvus import MilvusConnection, Missing
from services.common.text.passages import Span
from services.common.typed_columns import typed_columns, typed_values
from services.indexer.index.entities import chunks
from services.indexer.passages import Passages
from services.indexer.rows import Row

_CALL_SECONDS = 30.0
_SLOW_SECONDS = 300.0
_WRITTEN_ROWS = 500
"""Number of passages in one call of a write."""
_READ_ROWS = 4_096
"""Number of passages in one answer, with a text and perhaps a vector each."""
_MOST_ROWS = 16_384
"""Most rows that one query of Milvus gives."""
_PLACES = [Field.ID, Field.TEXT, PassageField.START, PassageField.PAGE, PassageField.SECTION]

Answer = TypeVar("Answer")
Create = Callable[[str], Awaitable[None]]


class PassageRows:
    """Writes, reads and deletes passages. The caller makes one write at a time.

    Every method raises IndexUnavailable and Overloaded.
    """

    def __init__(self, connection: MilvusConnection) -> None:
        self._connection = connection

    async def there(self, physical: PhysicalName) -> bool:
        """Whether a collection has a collection of passages."""
        name = passages_name(physical)
        return bool(
            await self._connection.ask(
                "describe", lambda client: client.has_collection(name), _CALL_SECONDS
            )
        )

    async def write(
        self, physical: PhysicalName, rows: Sequence[Row], version: int, create: Create
    ) -> None:
        """Writes the passages of rows that are about to be written; searches do not find them until
        then.

        `create` makes a collection of this name. Passages that an earlier attempt wrote stay as
        they are.
        """
        if not any(row.passages for row in rows):
            return
        if not await self.there(physical):
            await create(passages_name(physical))
        name = passages_name(physical)
        columns = await self._columns(name)
        entities = [one for row in rows for one in _entities(row, version, columns)]
        for start in range(0, len(entities), _WRITTEN_ROWS):
            batch = entities[start : start + _WRITTEN_ROWS]
            keys = [one[Field.ID] for one in batch]
            known = {row[Field.ID] for row in await self._query(name, _among(keys), [Field.ID])}
            new = [one for one in batch if one[Field.ID] not in known]
            if new:
                await self._ask(name, "write", partial(_insert, name=name, rows=new))

    async def keep(self, physical: PhysicalName, versions: Mapping[str, int]) -> None:
        """Deletes the passages of these documents whose version is not the one given with each."""
        if not await self.there(physical):
            return
        name = passages_name(physical)
        for chunk in chunks(list(versions)):
            stale = [
                key
                async for key in self._keys(name, _of(chunk))
                if PassageKey.parse(key).version != versions[PassageKey.parse(key).document]
            ]
            await self._delete(name, stale)

    async def remove(self, physical: PhysicalName, ids: Sequence[str]) -> None:
        """Deletes all passages of documents."""
        await self.keep(physical, dict.fromkeys(ids, -1))

    async def with_bodies(
        self, physical: PhysicalName, rows: Sequence[Row], *, vectors: bool = False
    ) -> AsyncIterator[list[Row]]:
        """Rows with their bodies and passages, in the same order.

        Some rows are given at a time, so that many long documents are never in memory at once.
        """
        counts = await self._counts(physical, rows) if rows else {}
        several: list[Row] = []
        size = 0
        for row in rows:
            count = counts.get(row.id, 0)
            if several and size + count > _READ_ROWS:
                yield await self._read(physical, several, counts, vectors)
                several, size = [], 0
            several.append(row)
            size += count
        yield await self._read(physical, several, counts, vectors)

    async def sweep(
        self,
        physical: PhysicalName,
        versions: Callable[[Sequence[str]], Awaitable[Mapping[str, int]]],
    ) -> None:
        """Deletes passages that killed writes left, whose version is not that of their document.

        `versions` gives the versions of the documents that exist.
        """
        if not await self.there(physical):
            return
        name = passages_name(physical)
        firsts = [
            PassageKey.parse(key) async for key in self._keys(name, f"{PassageField.NUMBER} == 0")
        ]
        for start in range(0, len(firsts), _MOST_ROWS):
            some = firsts[start : start + _MOST_ROWS]
            kept = await versions([key.document for key in some])
            left = {key.document for key in some if kept.get(key.document) != key.version}
            await self.keep(physical, {one: kept.get(one, -1) for one in left})

    async def drop(self, physical: PhysicalName) -> None:
        """Drops the collection of passages, if there is one."""
        if await self.there(physical):
            await self._slow("drop", lambda client: client.drop_collection(passages_name(physical)))

    async def load(self, physical: PhysicalName) -> None:
        """Loads the collection of passages, if there is one."""
        if await self.there(physical):
            await self._slow("load", lambda client: client.load_collection(passages_name(physical)))

    async def flush(self, physical: PhysicalName) -> None:
        """Seals the passages that were written so far."""
        if await self.there(physical):
            await self._slow("flush", lambda client: client.flush(passages_name(physical)))

    async def _counts(self, physical: PhysicalName, rows: Sequence[Row]) -> dict[str, int]:
        """The number of passages of each document by id; documents without any are left out."""
        if not await self.there(physical):
            return {}
        name, counts = passages_name(physical), {}
        for chunk in chunks([str(PassageKey(row.id, row.version or 0, 0)) for row in rows]):
            for row in await self._query(name, _among(chunk), [Field.ID, PassageField.COUNT]):
                counts[PassageKey.parse(row[Field.ID]).document] = int(row[PassageField.COUNT])
        return counts

    async def _read(
        self, physical: PhysicalName, rows: list[Row], counts: Mapping[str, int], vectors: bool
    ) -> list[Row]:
        keys = [
            str(PassageKey(row.id, row.version or 0, number))
            for row in rows
            for number in range(counts.get(row.id, 0))
        ]
        if not keys:
            return rows
        columns = [*_PLACES, *([Field.VECTOR] if vectors else [])]
        found: dict[str, list[dict[str, Any]]] = {}
        for chunk in chunks(keys):
            for one in await self._query(passages_name(physical), _among(chunk), columns):
                key = PassageKey.parse(one[Field.ID])
                found.setdefault(key.document, []).append(one)
        return [_with_body(row, found.get(row.id, [])) for row in rows]

    async def _keys(self, name: str, expression: str) -> AsyncIterator[str]:
        """The keys of all passages that an expression selects."""
        last = ""
        while True:
            rows = await self._query(
                name,
                f"{Field.ID} > {id_literal(last)} and {expression}",
                [Field.ID],
                limit=_MOST_ROWS,
                reduce_stop_for_best=True,  # Milvus gives the rows that follow in order.
            )
            keys = sorted(str(row[Field.ID]) for row in rows)
            for key in keys:
                yield key
            if len(keys) < _MOST_ROWS:
                return
            last = keys[-1]

    async def _delete(self, name: str, keys: Sequence[str]) -> None:
        # The first passages are deleted last: while one of them exists, a sweep finds the rest.
        keys = sorted(keys, key=lambda key: PassageKey.parse(key).number == 0)
        for chunk in chunks(keys):
            with suppress(Missing):  # The collection was dropped.
                await self._ask(
                    name, "delete", partial(_delete, name=name, expression=_among(chunk))
                )

    async def _columns(self, name: str) -> set[str]:
        described = await self._ask(
            name, "describe", lambda client: client.describe_collection(name)
        )
        return {field["name"] for field in described["fields"]}

    async def _query(
        self, name: str, expression: str, fields: Sequence[str], **options: Any
    ) -> list[dict[str, Any]]:
        rows = await self._ask(
            name,
            "query",
            lambda client: client.query(
                name,
                filter=expression,
                output_fields=list(fields),
                consistency_level="Strong",
                **options,
            ),
        )
        return list(rows)

    async def _ask(
        self, name: str, what: str, call: Callable[[AsyncMilvusClient], Awaitable[Answer]]
    ) -> Answer:
        return await self._connection.ask(what, call, _CALL_SECONDS, name)

    async def _slow(
        self, what: str, call: Callable[[AsyncMilvusClient], Awaitable[Answer]]
    ) -> Answer:
        return await self._connection.ask(what, call, _SLOW_SECONDS)


def _entities(row: Row, version: int, columns: Collection[str]) -> list[dict[str, Any]]:
    """The passages of a row in the form that a collection with these columns takes, the first one
    first."""
    several = row.passages
    if several is None:
        return []
    document, written = row.document, version if row.version is None else row.version
    marks, typed = facets(document.fields), typed_values(document.fields, typed_columns(columns))
    entities: list[dict[Any, Any]] = [
        {
            Field.ID: str(PassageKey(row.id, written, number)),
            PassageField.DOCUMENT: stored_id(row.id),
            PassageField.NUMBER: number,
            PassageField.COUNT: len(several),
            Field.TEXT: document.body[span.start : span.end],
            PassageField.START: span.start,
            PassageField.PAGE: span.page or 0,
            PassageField.SECTION: span.section,
            Field.FIELDS: document.fields,
            Field.FACETS: marks,
            Field.VECTOR: vector,
            **({Field.WORDS: words} if Field.WORDS in columns else {}),
            **typed,
        }
        for number, (span, words, vector) in enumerate(
            zip(several.spans, several.words, several.vectors, strict=True)
        )
    ]
    return [{str(name): value for name, value in entity.items()} for entity in entities]


def _with_body(row: Row, stored: list[dict[str, Any]]) -> Row:
    if not stored:
        return row
    stored.sort(key=lambda one: PassageKey.parse(one[Field.ID]).number)
    spans: list[Span] = []
    pieces: list[str] = []
    length = 0
    for one in stored:
        start, text = int(one[PassageField.START]), one[Field.TEXT]
        pieces.append(text[length - start :])
        length = start + len(text)
        page = int(one[PassageField.PAGE]) or None
        spans.append(Span(start, length, page, one[PassageField.SECTION]))
    vectors = np.array([one.get(Field.VECTOR, ()) for one in stored], dtype=np.float32)
    return replace(
        row,
        document=row.document.model_copy(update={"body": "".join(pieces)}),
        passages=Passages(spans, [], vectors),
    )


async def _insert(client: AsyncMilvusClient, name: str, rows: list[dict[str, Any]]) -> None:
    await client.insert(name, rows)


async def _delete(client: AsyncMilvusClient, name: str, expression: str) -> None:
    await client.delete(name, filter=expression)


def _of(ids: Sequence[str]) -> str:
    """The expression that selects the passages of documents."""
    return f"{PassageField.DOCUMENT} in [{', '.join(map(id_literal, ids))}]"


def _among(keys: Sequence[str]) -> str:
    """The expression that selects passages by key."""
    return f"{Field.ID} in [{', '.join(map(id_literal, keys))}]"
