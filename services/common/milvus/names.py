"""The physical collection behind each user's name, and its switch in one step.

A Milvus server has aliases. The embedded engine has none, so a small collection keeps the names
there as rows: a switch inserts one row, which the engine commits whole or not at all, and of the
rows of a name the one with the highest sequence number counts. Older rows are deleted after that,
so a process that is killed at any moment leaves either the old name or the new one.

Names lie with the data that they name: one backup holds both, and recall, which only reads them,
needs no file beside the server's address. There is one writer (docs/adr/0009).
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from pymilvus import AsyncMilvusClient, DataType, MilvusClient

from services.common.collection import milvus_name, user_name
from services.common.milvus.failures import Missing
from services.common.milvus.pages import MOST_ROWS
from services.common.milvus.raw import create_collection

COLLECTION = "xunwen_names"
"""The collection that keeps the names on the embedded engine."""

_SECONDS = 30.0

Answer = TypeVar("Answer")


class MilvusCall(Protocol):
    """The method `ask` of `MilvusConnection`: makes one call and translates its failures."""

    def __call__(
        self,
        what: str,
        call: Callable[[AsyncMilvusClient], Awaitable[Answer]],
        seconds: float,
        collection: str | None = None,
    ) -> Awaitable[Answer]: ...


class Names(Protocol):
    """Users' names of collections. Every method raises IndexUnavailable."""

    async def resolve(self, name: str, seconds: float = _SECONDS) -> str | None:
        """The physical collection that a name points to; None if there is none."""

    async def all(self, physicals: list[str]) -> dict[str, str]:
        """Every name with its physical collection, which is one of `physicals`."""

    async def point(self, name: str, physical: str) -> None:
        """Points the name to this collection, at once for all readers and durably."""

    async def unpoint(self, name: str) -> None:
        """Removes a name of a collection, whose rows stay."""


class Aliases:
    """The aliases of a Milvus server.

    In a database of its own they are read from the descriptions of collections: the client's calls
    for aliases name no database, and Milvus 2.3 then looks into its default one.
    """

    def __init__(self, ask: MilvusCall, *, in_database: bool = False) -> None:
        self._ask = ask
        self._in_database = in_database

    async def resolve(self, name: str, seconds: float = _SECONDS) -> str | None:
        """The physical collection that a name points to, or None."""
        alias = milvus_name(name)

        async def described(client: AsyncMilvusClient) -> Any:
            if self._in_database:
                return await client.describe_collection(alias)
            return await client.describe_alias(alias)

        try:
            found = await self._ask("resolve", described, seconds)
        except Missing:
            return None
        return str(found["collection_name"])

    async def all(self, physicals: list[str]) -> dict[str, str]:
        """All names with the physical collections behind them."""
        names: dict[str, str] = {}
        for physical in physicals:
            listing = _described_aliases if self._in_database else _list_aliases
            listed = await self._ask("list", listing(physical), _SECONDS)
            names.update((user_name(str(alias)), physical) for alias in listed)
        return names

    async def point(self, name: str, physical: str) -> None:
        """Makes a name point to a physical collection, in one step."""
        alias = milvus_name(name)
        if await self.resolve(name) is None:
            await self._ask("switch", lambda client: client.create_alias(physical, alias), _SECONDS)
        else:
            await self._ask("switch", lambda client: client.alter_alias(physical, alias), _SECONDS)

    async def unpoint(self, name: str) -> None:
        """Removes a name of a collection, whose rows stay."""
        alias = milvus_name(name)
        await self._ask("switch", lambda client: client.drop_alias(alias), _SECONDS)


class NameRows:
    """Names of collections as rows of a small collection of the embedded engine."""

    def __init__(self, ask: MilvusCall) -> None:
        self._ask = ask

    async def resolve(self, name: str, seconds: float = _SECONDS) -> str | None:
        """The physical collection that a name points to, or None."""
        rows = await self._rows(f"name == {json.dumps(name)}", seconds)
        return _newest(rows).get(name)

    async def all(self, physicals: list[str]) -> dict[str, str]:
        """All names with the physical collections behind them."""
        there = set(physicals)
        newest = _newest(await self._rows('id != ""', _SECONDS))
        return {name: physical for name, physical in newest.items() if physical in there}

    async def point(self, name: str, physical: str) -> None:
        """Makes a name point to a physical collection, in one step."""
        await self._switch(name, physical)

    async def unpoint(self, name: str) -> None:
        """Removes a name of a collection, whose rows stay."""
        sequence = await self._switch(name, "")
        await self._forget(f"name == {json.dumps(name)} and sequence <= {sequence}")

    async def _switch(self, name: str, physical: str) -> int:
        """Inserts the row that counts from now on; returns its sequence number."""
        await self._ask("create", _create, _SECONDS)
        rows = await self._rows(f"name == {json.dumps(name)}", _SECONDS)
        sequence = max((int(row["sequence"]) for row in rows), default=0) + 1
        row = {
            "id": f"{name}@{sequence}",
            "name": name,
            "physical": physical,
            "sequence": sequence,
            "vector": [1.0, 0.0],  # The engine wants a vector in each row.
        }
        await self._ask("switch", lambda client: client.insert(COLLECTION, [row]), _SECONDS)
        if rows:
            await self._forget(f"name == {json.dumps(name)} and sequence < {sequence}")
        return sequence

    async def _forget(self, expression: str) -> None:
        await self._ask(
            "switch", lambda client: client.delete(COLLECTION, filter=expression), _SECONDS
        )

    async def _rows(self, expression: str, seconds: float) -> list[dict[str, Any]]:
        try:
            return list(
                await self._ask(
                    "resolve",
                    lambda client: client.query(
                        COLLECTION,
                        filter=expression,
                        output_fields=["name", "physical", "sequence"],
                        limit=MOST_ROWS,
                    ),
                    seconds,
                    COLLECTION,
                )
            )
        except Missing:  # No name has been given yet.
            return []


def _list_aliases(physical: str) -> Callable[[AsyncMilvusClient], Awaitable[Any]]:
    return lambda client: client.list_aliases(physical)


def _described_aliases(physical: str) -> Callable[[AsyncMilvusClient], Awaitable[Any]]:
    async def aliases(client: AsyncMilvusClient) -> Any:
        return (await client.describe_collection(physical))["aliases"]

    return aliases


def _newest(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Each name with its physical collection, by the row of the highest sequence number."""
    ordered = sorted(rows, key=lambda row: int(row["sequence"]))
    latest = {str(row["name"]): str(row["physical"]) for row in ordered}
    return {name: physical for name, physical in latest.items() if physical}


async def _create(client: AsyncMilvusClient) -> None:
    """Creates the collection, or completes what a killed creation left out."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=512)
    schema.add_field("name", DataType.VARCHAR, max_length=512)
    schema.add_field("physical", DataType.VARCHAR, max_length=512)
    schema.add_field("sequence", DataType.INT64)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
    indexes = MilvusClient.prepare_index_params()
    indexes.add_index("vector", index_type="FLAT", metric_type="IP", params={})
    await create_collection(client, COLLECTION, schema, indexes)
