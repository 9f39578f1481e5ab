"""Index versions: a token per collection that moves with each committed write.

The indexer moves a version after a write is in Milvus and before the writer is answered;
the gateway puts the version into its cache keys. A token is a time, never a counter: a lost
Redis therefore cannot bring an old version, and with it an old answer, back.
"""

import time
from typing import Protocol

KEY_PREFIX = "xunwen:version:"


class IndexVersions(Protocol):
    """The port; adapters live with their services."""

    async def current(self, collection: str) -> str | None:
        """The version, or None when none is known. Raises Unavailable."""

    async def move(self, collection: str) -> str:
        """Sets and returns a new version. Raises Unavailable."""


def version_key(collection: str) -> str:
    return f"{KEY_PREFIX}{collection}"


def new_version() -> str:
    """Sorts by time as text."""
    return f"{time.time_ns():016x}"
