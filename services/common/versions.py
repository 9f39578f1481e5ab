"""Index versions: a token for each collection that changes with every committed write.

The indexer sets a new version when a write is in Milvus and before it answers the writer; the
gateway makes the version part of its cache keys. A token begins with a time and not a counter, so
that a Redis that lost its data cannot bring back an old version, and an old answer with it.

On a Milvus server a token also holds the server's own time after the write. A search that asks for
a state at least that new finds the write, and waits only while the server has not come so far.
"""

import re
import time
from typing import Protocol

KEY_PREFIX = "xunwen:version:"
VERSION_PATTERN = r"^[0-9a-f]{16}(-[0-9a-f]{1,16})?$"
"""The nanoseconds since the epoch, followed by the server's time if the server has one."""


class IndexVersions(Protocol):
    """Port to the store of versions; each service has its own adapter."""

    async def current(self, collection: str) -> str | None:
        """The version of a collection, or None if none is known. Raises Unavailable."""

    async def move(self, collection: str) -> str:
        """Sets a new version of a collection and returns it. Raises Unavailable."""


def version_key(collection: str) -> str:
    """The Redis key that holds the version of a collection."""
    return f"{KEY_PREFIX}{collection}"


def new_version(server_time: int | None = None) -> str:
    """A version for this moment; versions sort as texts in the order of their times.

    `server_time` is what `MilvusConnection.server_time` gave after the write.
    """
    moment = f"{time.time_ns():016x}"
    return moment if server_time is None else f"{moment}-{server_time:x}"


def version_in(stored: bytes | str) -> str | None:
    """The version that a store holds; None for what is none, as a person may write."""
    text = stored.decode(errors="replace") if isinstance(stored, bytes) else stored
    return text if re.fullmatch(VERSION_PATTERN, text) else None


def moment_of(version: str) -> int:
    """The time of a version, in nanoseconds since the epoch."""
    return int(version.partition("-")[0], 16)


def server_time_of(version: str | None) -> int | None:
    """The server's time in a version; None if it holds none or the version is not known.

    Raises ValueError for a text that is no version.
    """
    if version is None:
        return None
    if not re.fullmatch(VERSION_PATTERN, version):
        raise ValueError(f"{version[:40]!r} is no index version")
    server_time = version.partition("-")[2]
    return int(server_time, 16) if server_time else None
