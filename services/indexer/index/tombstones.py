"""Keeps deletions that a write accepted earlier must not undo.

They are kept while such a write may still come, that is while an older job is unfinished. They are
durable: a document deleted during a night's load stays deleted even if the service, the worker or
Redis was restarted in between.
"""

import asyncio
import json
from collections.abc import Iterable
from typing import Self

from services.indexer.rows import Row
from services.indexer.store import ObjectStore

_PREFIX = "tombstones"


class Tombstones:
    """The kept deletions of one collection, in storage and in memory."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        self._store = store
        self._prefix = f"{_PREFIX}/{name}"
        self._deleted: dict[str, int] = {}

    @classmethod
    async def read(cls, store: ObjectStore, name: str) -> Self:
        """The deletions that are in storage. Raises Unavailable."""
        tombstones = cls(store, name)
        await asyncio.to_thread(tombstones._read)
        return tombstones

    @property
    def newest(self) -> int:
        """The highest version of a kept deletion; 0 if there is none."""
        return max(self._deleted.values(), default=0)

    async def add(self, ids: list[str], version: int) -> None:
        """Adds deletions, which are durable when this returns. Raises Unavailable."""
        content = json.dumps(ids).encode()
        await asyncio.to_thread(self._store.write, f"{self._prefix}/{version:016x}", content)
        self._keep(ids, version)

    def surviving(self, rows: Iterable[Row], version: int) -> list[Row]:
        """The rows that no later deletion removes.

        `version` is that of the write; a row with a version of its own is judged by that.
        """
        return [
            row
            for row in rows
            if self._deleted.get(row.id, 0)
            < (version if row.version is None else max(row.version, 0))
        ]

    def since(self, version: int) -> int:
        """The number of documents that were deleted after a version."""
        return sum(deleted > version for deleted in self._deleted.values())

    async def prune(self, oldest_write: int) -> None:
        """Removes deletions that are older than every write which may still come; `oldest_write`
        is the lowest version of such a write."""
        await asyncio.to_thread(self._remove_older, oldest_write)
        self._deleted = {
            identity: version
            for identity, version in self._deleted.items()
            if version >= oldest_write
        }

    def _read(self) -> None:
        for item in self._store.names(self._prefix):
            ids = json.loads(self._store.read(f"{self._prefix}/{item}"))
            self._keep(ids, int(item, 16))

    def _keep(self, ids: list[str], version: int) -> None:
        for identity in ids:
            self._deleted[identity] = max(version, self._deleted.get(identity, 0))

    def _remove_older(self, oldest_write: int) -> None:
        for item in self._store.names(self._prefix):
            if int(item, 16) < oldest_write:
                self._store.remove(f"{self._prefix}/{item}")
