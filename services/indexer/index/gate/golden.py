"""Stores the golden queries of collections."""

import asyncio
from collections.abc import Sequence

from services.common.wire.golden import GoldenQueries, GoldenQuery
from services.indexer.damage import readable
from services.indexer.store import NoSuchObject, ObjectStore


class GoldenSets:
    """The golden queries of each collection. Every method raises Unavailable if storage fails."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def read(self, name: str) -> list[GoldenQuery]:
        """The golden queries of a collection; an empty list if none were set. Raises
        StorageDamaged."""
        try:
            content = await asyncio.to_thread(self._store.read, _key(name))
        except NoSuchObject:
            return []
        what = f"The set of golden queries of collection {name!r}"
        remedy = f"Set them again with PUT /v1/collections/{name}/golden-queries."
        with readable(what, _key(name), remedy=remedy):
            return GoldenQueries.model_validate_json(content).queries

    async def write(self, name: str, queries: Sequence[GoldenQuery]) -> None:
        """Replaces the golden queries of a collection; they are durable when this returns."""
        content = GoldenQueries(queries=list(queries)).model_dump_json().encode()
        await asyncio.to_thread(self._store.write, _key(name), content)

    async def remove(self, name: str) -> None:
        """Removes the golden queries of a collection, if it has any."""
        await asyncio.to_thread(self._store.remove, _key(name))


def _key(name: str) -> str:
    return f"golden/{name}.json"
