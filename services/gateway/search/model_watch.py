"""Watches which ranker answers and whether recall is there, every two seconds.

The keys of the cache hold the ranker's fingerprint, so it must be known before anything is
computed. An answer that another ranker made corrects it at once. Redis keeps the last known
fingerprint for a gateway that starts while rank is away. The encoder needs no watch: the index
version determines it.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from services.common.calls.client import ServiceClient
from services.common.errors import SearchError, Unavailable
from services.common.wire.encode import ModelInfo
from services.gateway.stores.redis_client import GuardedRedis

_KEY = "xunwen:ranker"
_POLL_SECONDS = 2.0
_ASK_SECONDS = 1.5


@dataclass(slots=True)
class ModelWatch:
    """The ranker and the state of recall, as they were last seen."""

    recall: ServiceClient
    rank: ServiceClient
    cache: GuardedRedis
    ranker: str | None = None
    """Fingerprint of the ranker; None while it is not known."""
    recall_away: bool = False
    """Whether recall, or the index behind it, was not ready at the last check."""

    async def begin(self) -> None:
        """Asks the services once; `run` asks those that do not answer again."""
        await self._recollect()
        await self._look()

    async def run(self) -> None:
        """Asks every two seconds; never returns."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            await self._look()

    async def learn(self, ranker: str | None) -> str | None:
        """The ranker that made an answer, which is noted, or the known one if none did."""
        if ranker is None:
            return self.ranker
        if ranker != self.ranker:
            self.ranker = ranker
            await self._note(ranker)
        return ranker

    async def _look(self) -> None:
        ready, ranker = await asyncio.gather(self._recall_ready(), _fingerprint(self.rank))
        self.recall_away = not ready
        if ranker is not None:
            self.ranker = ranker
            # Each time, since Redis may have been away or emptied meanwhile.
            await self._note(ranker)

    async def _recall_ready(self) -> bool:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await self.recall.check()
        except (SearchError, TimeoutError):
            return False
        return True

    async def _note(self, ranker: str) -> None:
        try:
            await self.cache.call(self.cache.redis.set(_KEY, ranker))
        except Unavailable:
            return  # It is written at the next look.

    async def _recollect(self) -> None:
        try:
            command: Any = self.cache.redis.get(_KEY)
            noted: bytes | None = await self.cache.call(command)
        except Unavailable:
            return
        if noted and noted.isascii():
            self.ranker = noted.decode()


async def _fingerprint(client: ServiceClient) -> str | None:
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            return (await client.ask("GET", "/model", ModelInfo)).fingerprint
    except (SearchError, TimeoutError):
        return None
