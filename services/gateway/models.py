"""Which models answer now, and whether recall is there: asked for every two seconds.

The fingerprints belong into the cache's keys, so they are needed before anything is computed. An
answer that another model made corrects them at once. Redis keeps the last known ones for a gateway
that starts while recall is away.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.common.errors import SearchError, Unavailable
from services.common.service_client import ServiceClient
from services.common.wire.recall import ModelInfo
from services.gateway.cache.policy import Models
from services.gateway.redis_client import GuardedRedis

_KEY = "xunwen:models"
_POLL_SECONDS = 2.0
_ASK_SECONDS = 1.5


@dataclass(slots=True)
class ModelWatch:
    recall: ServiceClient
    rank: ServiceClient
    cache: GuardedRedis
    models: Models = field(default_factory=Models)
    recall_away: bool = False
    """Whether recall, or the index behind it, was not ready when last asked."""

    async def begin(self) -> None:
        """Learns what can be learnt now; a gateway may start before the others."""
        await self._recollect()
        await self._look()

    async def run(self) -> None:
        """Goes on asking; never returns."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            await self._look()

    async def learn(self, encoder: str, ranker: str | None) -> Models:
        """What an answer says about its models; returns what is known now."""
        known = Models(encoder, ranker or self.models.ranker)
        if known != self.models:
            self.models = known
            await self._note()
        return known

    async def _look(self) -> None:
        ready, encoder, ranker = await asyncio.gather(
            self._recall_ready(), _fingerprint(self.recall), _fingerprint(self.rank)
        )
        self.recall_away = not ready
        found = Models(encoder or self.models.encoder, ranker or self.models.ranker)
        if found != self.models:
            self.models = found
            await self._note()

    async def _recall_ready(self) -> bool:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await self.recall.check()
        except (SearchError, TimeoutError):
            return False
        return True

    async def _note(self) -> None:
        known = orjson.dumps({"encoder": self.models.encoder, "ranker": self.models.ranker})
        try:
            await self.cache.call(self.cache.redis.set(_KEY, known))
        except Unavailable:
            return  # noted again with the next change

    async def _recollect(self) -> None:
        try:
            noted = await self.cache.call(self.cache.redis.get(_KEY))
            read: dict[str, Any] = orjson.loads(noted) if noted else {}
        except (Unavailable, orjson.JSONDecodeError):
            return
        self.models = Models(read.get("encoder"), read.get("ranker"))


async def _fingerprint(client: ServiceClient) -> str | None:
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            return (await client.ask("GET", "/model", ModelInfo)).fingerprint
    except (SearchError, TimeoutError):
        return None
