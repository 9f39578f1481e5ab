"""The user dictionary that an index was filled with, kept beside it, so that recall cuts queries as
its documents were cut: from the moment at which a name points to the index, and not earlier.

It lies in a collection of its own, which is made before the index and dropped after it.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from pymilvus import AsyncMilvusClient, DataType, MilvusClient

from services.common.milvus.failures import Missing
from services.common.milvus.names import MilvusCall
from services.common.milvus.pages import MOST_ROWS
from services.common.milvus.raw import create_collection

_ROW_BYTES = 60_000
"""Most bytes of words in one row; a VARCHAR takes 65,535."""
_ROWS = 50
"""Rows of one call."""
_SECONDS = 60.0


def words_name(physical: object) -> str:
    """The name of the collection that holds the user dictionary of a physical collection."""
    return f"{physical}__w"


class DictionaryRows:
    """The user dictionaries of physical collections. Every method raises IndexUnavailable."""

    def __init__(self, ask: MilvusCall) -> None:
        self._ask = ask

    async def write(self, physical: object, words: Sequence[str]) -> None:
        """Stores the dictionary of a physical collection; writing it again changes nothing."""
        name = words_name(physical)
        rows: list[dict[str, Any]] = [
            # Both engines want a vector in each row.
            {"number": number, "words": text, "vector": [1.0, 0.0]}
            for number, text in enumerate(_texts(words))
        ]

        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("number", DataType.INT64, is_primary=True)
        schema.add_field("words", DataType.VARCHAR, max_length=65_535)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
        indexes = MilvusClient.prepare_index_params()
        indexes.add_index("vector", index_type="FLAT", metric_type="IP", params={})
        await self._ask(
            "create", lambda client: create_collection(client, name, schema, indexes), _SECONDS
        )
        for start in range(0, len(rows), _ROWS):
            some = rows[start : start + _ROWS]
            await self._ask("write", partial(_write, name, some), _SECONDS)

    async def read(self, physical: object, seconds: float) -> list[str] | None:
        """The dictionary of a physical collection; None if there is none."""
        name = words_name(physical)

        async def read(client: AsyncMilvusClient) -> list[dict[str, str]] | None:
            if not await client.has_collection(name):
                return None
            return list(
                await client.query(
                    name,
                    filter="number >= 0",
                    output_fields=["number", "words"],
                    limit=MOST_ROWS,
                    consistency_level="Strong",
                )
            )

        try:
            rows = await self._ask("query", read, seconds, name)
        except Missing:
            return None
        return None if rows is None else [word for row in rows for word in row["words"].split("\n")]

    async def drop(self, physical: object) -> None:
        """Drops the dictionary of a physical collection, if there is one."""
        name = words_name(physical)

        async def drop(client: AsyncMilvusClient) -> None:
            if await client.has_collection(name):
                await client.drop_collection(name)

        await self._ask("drop", drop, _SECONDS)


async def _write(name: str, rows: list[dict[str, Any]], client: AsyncMilvusClient) -> None:
    await client.upsert(name, rows)


def _texts(words: Sequence[str]) -> Iterator[str]:
    """Texts of at most _ROW_BYTES with a word on each line."""
    kept: list[str] = []
    size = 0
    for word in words:
        length = len(word.encode()) + 1
        if kept and size + length > _ROW_BYTES:
            yield "\n".join(kept)
            kept, size = [], 0
        kept.append(word)
        size += length
    if kept:
        yield "\n".join(kept)
