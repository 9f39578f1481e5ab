"""Keeps deletions that a write accepted earlier must not undo.

They are kept while such a write may still come, that is while an older job is unfinished. They are
durable: a document deleted during a night's load stays deleted even if the service, the worker or
Redis was restarted in between.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Iterator
from typing import Self

from services.indexer.damage import readable
from services.indexer.rows import Row
from services.indexer.store import ObjectStore

_PREFIX = "tombstones"
_REMEDY = (
    "Until then nothing is written to the collection, since documents that were deleted while a job"
    " ran could come back. Put the file that the indexer's log names back from a backup; without"
    " one, remove it when no job of the collection runs, and delete those documents again."
)


class Tombstones:
    """The kept deletions of one collection, in storage and in memory."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        self._store = store
        self._name = name
        self._prefix = f"{_PREFIX}/{name}"
        self._deleted: dict[str, int] = {}

    @classmethod
    async def read(cls, store: ObjectStore, name: str) -> Self:
        """The deletions that are in storage. Raises StorageDamaged, Unavailable."""
        tombstones = cls(store, name)
        await asyncio.to_thread(tombstones._read)
        return tombstones

    @staticmethod
    def collections(store: ObjectStore) -> list[str]:
        """Names of the collections of which deletions are kept. Raises Unavailable."""
        return store.names(_PREFIX)

    @staticmethod
    async def remove(store: ObjectStore, name: str) -> None:
        """Removes the deletions of a dropped collection."""
        await asyncio.to_thread(store.remove, f"{_PREFIX}/{name}")

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
        what = f"A list of deletions of collection {self._name!r}"
        for key, version in self._stored():
            content = self._store.read(key)
            with readable(what, key, remedy=_REMEDY):
                self._keep(_ids(content), version)

    def _keep(self, ids: list[str], version: int) -> None:
        for identity in ids:
            self._deleted[identity] = max(version, self._deleted.get(identity, 0))

    def _remove_older(self, oldest_write: int) -> None:
        for key, version in self._stored():
            if version < oldest_write:
                self._store.remove(key)

    def _stored(self) -> Iterator[tuple[str, int]]:
        """The keys of the stored lists with their versions."""
        for item in self._store.names(self._prefix):
            if re.fullmatch("[0-9a-f]{16}", item):  # Disks and people leave other files.
                yield f"{self._prefix}/{item}", int(item, 16)


def _ids(content: bytes) -> list[str]:
    """The ids of a stored list. Raises ValueError if it is none."""
    ids = json.loads(content)
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise ValueError("It is no list of ids.")
    return ids
