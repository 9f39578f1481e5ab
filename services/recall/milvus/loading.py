"""Loads the collections of the embedded engine before searches ask for them.

After a start the engine has its rows on disk only, and reads those of a collection into memory when
it is asked to: one row after the other, 10 s for 100,000 documents, and no other call is answered
meanwhile. A Milvus server loads by itself.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from pymilvus.client.types import LoadState

from services.common.collection import passages_name
from services.common.ending import ended
from services.common.errors import IndexUnavailable, SearchError
from services.common.milvus import MilvusConnection, Missing

_LOAD_SECONDS = 3600.0

logger = logging.getLogger(__name__)


class Loading:
    """Keeps the collections that have a name in the memory of the embedded engine."""

    def __init__(self, connection: MilvusConnection) -> None:
        self._connection = connection
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether collections are being loaded; the engine then answers no other call."""
        return self._task is not None and not self._task.done()

    async def check(self, seconds: float) -> None:
        """Raises IndexUnavailable while collections are being loaded. If some are not in memory, as
        after a start of the engine, it starts to load them."""
        if not self.running:
            engine = await self._connection.engine(seconds)
            absent = await self._absent(seconds) if engine.embedded else []
            if not absent:
                return
            if not self.running:  # Another check may have started it meanwhile.
                self._task = asyncio.create_task(self._load(absent))
        raise IndexUnavailable("The index is being loaded into memory.", retry_after=2)

    async def aclose(self) -> None:
        """Stops waiting for the engine, which loads on."""
        if self._task is not None:
            await ended([self._task])

    async def _absent(self, seconds: float) -> list[str]:
        """The collections with a name, and those of their passages, that are on disk only."""
        ask = self._connection.ask
        there = list(await ask("list", lambda client: client.list_collections(), seconds))
        named = (await (await self._connection.names(seconds)).all(there)).values()
        wanted = {str(one) for physical in named for one in (physical, passages_name(physical))}
        absent = []
        for name in sorted(wanted.intersection(there)):

            async def state(client: Any, name: str = name) -> LoadState:
                return (await client.get_load_state(name))["state"]

            if await ask("state", state, seconds) != LoadState.Loaded:
                absent.append(name)
        return absent

    async def _load(self, names: list[str]) -> None:
        for name in names:

            async def load(client: Any, name: str = name) -> None:
                await client.load_collection(name)

            try:
                with suppress(Missing):  # The collection was dropped meanwhile.
                    await self._connection.ask("load", load, _LOAD_SECONDS)
            except SearchError as error:  # The next check starts again.
                logger.warning("a collection was not loaded", extra={"code": error.code})
                return
