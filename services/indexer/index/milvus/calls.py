"""Calls of Milvus for collections by name, each with a timeout of its own."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from pymilvus import AsyncMilvusClient

from services.common.collection import Field
from services.common.milvus import MilvusConnection
from services.common.milvus.keyed import KeyedRows
from services.common.milvus.pages import rows_behind

_CALL_SECONDS = 30.0
_SLOW_SECONDS = 300.0
"""Timeout in seconds of calls that wait for background work: creating, loading, flushing and
dropping."""
_RELOAD_SECONDS = 3_600.0
"""Timeout in seconds of loading a collection anew. Another try would begin from the start."""

Answer = TypeVar("Answer")
Call = Callable[[AsyncMilvusClient], Awaitable[Answer]]


class Calls:
    """The calls over one connection. Every method raises IndexUnavailable and Overloaded, and
    Missing where the collection does not exist."""

    def __init__(self, connection: MilvusConnection) -> None:
        self._connection = connection
        self._keyed = KeyedRows(connection)

    async def ask(self, name: str, what: str, call: Call[Answer]) -> Answer:
        """The answer of a call about a collection, which is loaded if need be; `what` names the
        call in messages."""
        return await self._connection.ask(what, call, _CALL_SECONDS, name)

    async def slow(self, what: str, call: Call[Any]) -> None:
        """Makes a call that waits for background work."""
        await self._connection.ask(what, call, _SLOW_SECONDS)

    async def reload(self, name: str) -> None:
        """Releases a collection and loads it again."""
        await self.slow("release", lambda client: client.release_collection(name))
        load = self._connection.ask
        await load("load", lambda client: client.load_collection(name), _RELOAD_SECONDS)

    async def unindexed(self, name: str) -> int:
        """The number of sealed rows that the vector index does not hold yet."""
        index = await self.ask(
            name, "describe", lambda client: client.describe_index(name, Field.VECTOR)
        )
        return max(0, int(index["total_rows"]) - int(index["indexed_rows"]))

    async def there(self, name: str) -> bool:
        """Whether a collection exists."""
        return bool(
            await self._connection.ask(
                "describe", lambda client: client.has_collection(name), _CALL_SECONDS
            )
        )

    async def names(self) -> list[str]:
        """The names of all collections."""
        return list(
            await self._connection.ask(
                "list", lambda client: client.list_collections(), _CALL_SECONDS
            )
        )

    async def columns(self, name: str) -> dict[str, Any]:
        """The columns of a collection by name, as Milvus describes them."""
        described = await self.ask(
            name, "describe", lambda client: client.describe_collection(name)
        )
        return {item["name"]: item for item in described["fields"]}

    async def query(
        self, name: str, expression: str, fields: Sequence[str], **options: Any
    ) -> list[dict[str, Any]]:
        """These columns of the rows that an expression selects, all writes included."""
        rows = await self.ask(
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

    async def rows(
        self, name: str, keys: Sequence[str], fields: Sequence[str]
    ) -> list[dict[str, Any]]:
        """These columns of the existing rows with these keys, all writes included."""
        return await self._keyed.rows(name, keys, fields, _CALL_SECONDS, consistency_level="Strong")

    async def behind(
        self, name: str, key: str, most: int, expression: str, fields: Sequence[str]
    ) -> list[dict[str, Any]]:
        """These columns of the first rows behind a key that match an expression, all writes
        included; fewer than `most` only if there are no more."""

        async def query(expression: str, **options: Any) -> list[dict[str, Any]]:
            return await self.query(name, expression, fields, **options)

        embedded = (await self._connection.engine()).embedded
        return await rows_behind(query, key, most, expression, embedded=embedded)

    async def insert(self, name: str, entities: list[dict[str, Any]]) -> None:
        """Adds rows whose keys no row has."""
        await self.ask(name, "write", lambda client: client.insert(name, entities))

    async def upsert(self, name: str, entities: list[dict[str, Any]]) -> None:
        """Adds rows, or replaces those of the same keys."""
        await self.ask(name, "write", lambda client: client.upsert(name, entities))

    async def delete(self, name: str, expression: str) -> None:
        """Deletes the rows that an expression selects."""
        # Keys go into an expression, because the client's own list of them quotes nothing.
        await self.ask(name, "delete", lambda client: client.delete(name, filter=expression))
