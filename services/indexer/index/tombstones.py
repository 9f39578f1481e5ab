"""Deletions that a write accepted earlier must not undo.

They are needed while such a write may still come, that is while an older job is unfinished,
and then they are durable: a document deleted during a night's load stays deleted although
the service, the worker or Redis was restarted in between.
"""

import json
from collections.abc import Iterable

from services.indexer.rows import Row
from services.indexer.store import ObjectStore

_PREFIX = "tombstones"


class Tombstones:
    """Of one collection. Synchronous."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        self._store = store
        self._prefix = f"{_PREFIX}/{name}"
        self._deleted: dict[str, int] = {}
        for item in store.names(self._prefix):
            ids = json.loads(store.read(f"{self._prefix}/{item}"))
            self._keep(ids, int(item, 16))

    def add(self, ids: list[str], version: int) -> None:
        """Durable when it returns."""
        self._store.write(f"{self._prefix}/{version:016x}", json.dumps(ids).encode())
        self._keep(ids, version)

    def _keep(self, ids: list[str], version: int) -> None:
        for identity in ids:
            self._deleted[identity] = max(version, self._deleted.get(identity, 0))

    def surviving(self, rows: Iterable[Row], version: int) -> list[Row]:
        """The rows that no later deletion takes back; `version` is the write's."""
        return [
            row
            for row in rows
            if self._deleted.get(row.id, 0)
            < (version if row.version is None else max(row.version, 0))
        ]

    def since(self, version: int) -> int:
        """How many documents were deleted after a version."""
        return sum(deleted > version for deleted in self._deleted.values())

    def prune(self, oldest_write: int | None) -> None:
        """Forgets deletions that are older than every write which may still come."""
        for item in self._store.names(self._prefix):
            if oldest_write is None or int(item, 16) < oldest_write:
                self._store.remove(f"{self._prefix}/{item}")
        self._deleted = {
            identity: version
            for identity, version in self._deleted.items()
            if oldest_write is not None and version >= oldest_write
        }
