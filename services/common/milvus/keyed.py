"""Rows by their keys.

For a query the embedded engine walks through the keys of all rows, in their order, until it has met
those that were asked for: 90 ms among a million rows, for two of them as for a thousand. Its search
looks keys up and scores only their rows, which takes 9 ms for ten. So rows are fetched by a search
for a vector of zeros there, whose scores say nothing.
"""

from collections.abc import Collection, Sequence
from typing import Any

from services.common.collection import Field, among
from services.common.milvus.connection import MilvusConnection

_EXACT = "FLAT"
"""The index of vectors whose search gives every row that passes the filter."""


class KeyedRows:
    """Fetches rows by key over one connection. Every method raises what `MilvusConnection.ask`
    raises."""

    def __init__(self, connection: MilvusConnection) -> None:
        self._connection = connection
        self._dimensions: dict[str, int] = {}
        """The dimension of each collection that is fetched from by searches, 0 of the others. The
        name of a collection never gets another schema."""

    async def rows(
        self,
        name: str,
        keys: Sequence[str],
        columns: Collection[str],
        seconds: float,
        expression: str = "",
        **options: Any,
    ) -> list[dict[str, Any]]:
        """These columns of those rows with these keys that match an expression, in any order; the
        options are those of the client."""
        if not keys:
            return []
        wanted = f"{among(keys)} and ({expression})" if expression else among(keys)
        about = {"filter": wanted, "limit": len(keys), "output_fields": [*columns], **options}
        dimension = 0 if Field.VECTOR in columns else await self._dimension(name, seconds)

        async def search(client: Any) -> list[dict[str, Any]]:
            [hits] = await client.search(
                name,
                data=[[0.0] * dimension],
                anns_field=Field.VECTOR,
                search_params={"metric_type": "IP", "params": {}},
                **about,
            )
            return [hit["entity"] for hit in hits]

        async def query(client: Any) -> list[dict[str, Any]]:
            return list(await client.query(name, **about))

        return await self._connection.ask("query", search if dimension else query, seconds, name)

    async def _dimension(self, name: str, seconds: float) -> int:
        if name not in self._dimensions:
            dimension = 0
            if (await self._connection.engine(seconds)).embedded:
                index = await self._connection.ask(
                    "describe", lambda client: client.describe_index(name, Field.VECTOR), seconds
                )
                dimension = int(index["dim"]) if index["index_type"] == _EXACT else 0
            self._dimensions[name] = dimension
        return self._dimensions[name]
