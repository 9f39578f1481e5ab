"""Passages of documents, in a collection of their own beside that of their documents.

It is made when the first document with a body is written. A passage is named by its document, the
version of the document and its number, so the passages of a new version are written beside those of
the old one. The version of the document's row decides: once that is written, searches find the new
passages and not the old ones, and never those that a kill has left behind.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from services.common.collection import (
    Field,
    PassageField,
    PassageKey,
    PhysicalName,
    among,
    id_literal,
    passages_name,
)
from services.common.milvus import Missing
from services.common.milvus.pages import MOST_ROWS
from services.indexer.index.milvus.calls import Calls
from services.indexer.index.milvus.entities import chunks
from services.indexer.index.milvus.passage_entities import passage_entities, with_body
from services.indexer.rows import Row

_WRITTEN_ROWS = 500
"""Number of passages in one call of a write."""
_READ_ROWS = 4_096
"""Number of passages in one answer, with a text and perhaps a vector each."""
_PLACES = [Field.ID, Field.TEXT, PassageField.START, PassageField.PAGE, PassageField.SECTION]

Create = Callable[[], Awaitable[None]]


class PassageRows:
    """Writes, reads and deletes passages. The caller makes one write at a time.

    Every method raises IndexUnavailable and Overloaded.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def write(
        self, physical: PhysicalName, rows: Sequence[Row], version: int, create: Create
    ) -> None:
        """Writes the passages of rows that are about to be written; searches do not find them until
        then.

        `create` makes the collection of passages. Passages that an earlier attempt wrote stay as
        they are.
        """
        if not any(row.passages for row in rows):
            return
        if not await self._calls.there(passages_name(physical)):
            await create()
        name = passages_name(physical)
        columns = await self._calls.columns(name)
        entities = [one for row in rows for one in passage_entities(row, version, columns)]
        for start in range(0, len(entities), _WRITTEN_ROWS):
            batch = entities[start : start + _WRITTEN_ROWS]
            keys = [one[Field.ID] for one in batch]
            stored = await self._calls.rows(name, keys, [Field.ID])
            known = {row[Field.ID] for row in stored}
            new = [one for one in batch if one[Field.ID] not in known]
            if new:
                await self._calls.insert(name, new)

    async def keep(self, physical: PhysicalName, versions: Mapping[str, int]) -> None:
        """Deletes the passages of these documents whose version is not the one given with each."""
        if not await self._calls.there(passages_name(physical)):
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
        if not await self._calls.there(passages_name(physical)):
            return
        name = passages_name(physical)
        firsts = [
            PassageKey.parse(key) async for key in self._keys(name, f"{PassageField.NUMBER} == 0")
        ]
        for start in range(0, len(firsts), MOST_ROWS):
            some = firsts[start : start + MOST_ROWS]
            kept = await versions([key.document for key in some])
            left = {key.document for key in some if kept.get(key.document) != key.version}
            await self.keep(physical, {one: kept.get(one, -1) for one in left})

    async def drop(self, physical: PhysicalName) -> None:
        """Drops the collection of passages, if there is one."""
        name = passages_name(physical)
        if await self._calls.there(name):
            await self._calls.slow("drop", lambda client: client.drop_collection(name))

    async def load(self, physical: PhysicalName) -> None:
        """Loads the collection of passages, if there is one."""
        name = passages_name(physical)
        if await self._calls.there(name):
            await self._calls.slow("load", lambda client: client.load_collection(name))

    async def reload(self, physical: PhysicalName) -> None:
        """Loads the collection of passages anew, if there is one."""
        name = passages_name(physical)
        if await self._calls.there(name):
            await self._calls.reload(name)

    async def unindexed(self, physical: PhysicalName) -> int:
        """The number of sealed passages without a vector index."""
        name = passages_name(physical)
        return await self._calls.unindexed(name) if await self._calls.there(name) else 0

    async def flush(self, physical: PhysicalName) -> None:
        """Seals the passages that were written so far."""
        name = passages_name(physical)
        if await self._calls.there(name):
            await self._calls.slow("flush", lambda client: client.flush(name))

    async def _counts(self, physical: PhysicalName, rows: Sequence[Row]) -> dict[str, int]:
        """The number of passages of each document by id; documents without any are left out."""
        if not await self._calls.there(passages_name(physical)):
            return {}
        name, counts = passages_name(physical), {}
        for chunk in chunks([str(PassageKey(row.id, row.version or 0, 0)) for row in rows]):
            for row in await self._calls.rows(name, chunk, [Field.ID, PassageField.COUNT]):
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
            for one in await self._calls.rows(passages_name(physical), chunk, columns):
                key = PassageKey.parse(one[Field.ID])
                found.setdefault(key.document, []).append(one)
        return [with_body(row, found.get(row.id, [])) for row in rows]

    async def _keys(self, name: str, expression: str) -> AsyncIterator[str]:
        """The keys of all passages that an expression selects."""
        last = ""
        while True:
            rows = await self._calls.behind(name, last, MOST_ROWS, expression, [Field.ID])
            for row in rows:
                yield str(row[Field.ID])
            if len(rows) < MOST_ROWS:
                return
            last = str(rows[-1][Field.ID])

    async def _delete(self, name: str, keys: Sequence[str]) -> None:
        # The first passages are deleted last: while one of them exists, a sweep finds the rest.
        keys = sorted(keys, key=lambda key: PassageKey.parse(key).number == 0)
        for chunk in chunks(keys):
            with suppress(Missing):  # The collection was dropped.
                await self._calls.delete(name, among(chunk))


def _of(ids: Sequence[str]) -> str:
    """The expression that selects the passages of documents."""
    return f"{PassageField.DOCUMENT} in [{', '.join(map(id_literal, ids))}]"
