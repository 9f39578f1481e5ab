"""The collections of passages that exist.

A collection without a long document has none; whether there is one is asked once for each version
of its index.
"""

import asyncio

from services.common.collection import Field, passages_name
from services.common.request_context import Deadline
from services.recall.domain import Index
from services.recall.milvus.reading import Reader


class PassageCollections:
    """The kinds of the passages' vector indexes; all requests share one."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._kinds: dict[str, str] = {}
        """Kind of the vector index of each known collection of passages."""
        self._absent: dict[str, str] = {}
        """Version of each index at which there was no collection of passages."""
        self._asking = asyncio.Lock()

    def forget(self, index: Index) -> None:
        """Forgets a collection that turned out to be missing."""
        self._kinds.pop(passages_name(index.physical), None)

    async def kind(self, index: Index, deadline: Deadline) -> str | None:
        """The kind of the passages' vector index; None if there are no passages.

        Raises IndexUnavailable, DeadlineExceeded.
        """
        name = passages_name(index.physical)
        if name in self._kinds:
            return self._kinds[name]
        if index.version is not None and self._absent.get(name) == index.version:
            return None
        async with self._asking:
            if name not in self._kinds and (
                index.version is None or self._absent.get(name) != index.version
            ):
                await self._ask(name, index, deadline)
        return self._kinds.get(name)

    async def _ask(self, name: str, index: Index, deadline: Deadline) -> None:
        if await self._reader.ask(
            "describe", lambda client: client.has_collection(name), name, deadline
        ):
            described = await self._reader.ask(
                "describe",
                lambda client: client.describe_index(name, Field.VECTOR),
                name,
                deadline,
            )
            self._absent.pop(name, None)
            self._kinds[name] = str(described["index_type"])
        elif index.version is not None:
            self._absent[name] = index.version
