"""Notes replacements of rows in storage, so that a kill loses none of them.

The embedded engine replaces rows in two steps, a deletion and an insertion, each durable by itself.
If it is killed between them, it loses rows that were acknowledged before. Noted replacements are
written again when the engine answers next.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.common.collection import PhysicalName
from services.common.errors import MalformedRequest
from services.indexer.rows import Row
from services.indexer.store import ObjectStore
from services.indexer.tables import pack_rows, unpack_rows

_PREFIX = "replacements"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Replacement:
    """Rows that were being written in place of others."""

    physical: PhysicalName
    rows: Sequence[Row]
    version: int
    """Version of those rows that have none of their own."""


class Journal:
    """The replacements under way. Every method raises Unavailable if storage fails."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @asynccontextmanager
    async def noted(self, replacement: Replacement) -> AsyncIterator[None]:
        """Notes a replacement while the block runs; if the block fails, the note stays."""
        key = _key(replacement.physical, replacement.version)
        content = await asyncio.to_thread(pack_rows, replacement.rows)
        await asyncio.to_thread(self._store.write, key, content)
        yield
        await asyncio.to_thread(self._store.remove, key)

    async def left(self) -> list[Replacement]:
        """The replacements whose block failed or whose process was killed, the oldest first.

        A damaged note is logged and stays, and holds up no other write.
        """
        return await asyncio.to_thread(self._read)

    async def forget(self, replacement: Replacement) -> None:
        """Removes the note of a replacement."""
        key = _key(replacement.physical, replacement.version)
        await asyncio.to_thread(self._store.remove, key)

    def _read(self) -> list[Replacement]:
        left = []
        for name in self._store.names(_PREFIX):
            physical = PhysicalName.parse(name)
            if physical is None:
                continue
            for item in self._store.names(f"{_PREFIX}/{name}"):
                key = f"{_PREFIX}/{name}/{item}"
                try:
                    version, rows = int(item, 16), unpack_rows(self._store.read(key))
                except (ValueError, MalformedRequest):
                    logger.exception(
                        "documents that were being replaced when the indexer was killed may be"
                        " missing, since the note of them is damaged; index those again that were"
                        " written last",
                        extra={"collection": physical.name, "object": key},
                    )
                    continue
                left.append(Replacement(physical, rows, version))
        return sorted(left, key=lambda replacement: replacement.version)


def _key(physical: PhysicalName, version: int) -> str:
    return f"{_PREFIX}/{physical}/{version:016x}"
