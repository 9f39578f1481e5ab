"""After a rebuild or a rollback, the queries that are asked most are computed before people ask.

A version that moved says that something was written; the hottest query, computed anew, says
whether another index answers now. Only then are the others computed too, by one replica.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from services.common.errors import SearchError, Unavailable
from services.common.request_context import Deadline
from services.gateway.cache.hot import HotQueries, HotQuery
from services.gateway.cache.policy import CacheUse
from services.gateway.redis_client import GuardedRedis
from services.gateway.searcher import Asker, Searcher

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_LOCK_SECONDS = 600
_INDEXES = "xunwen:indexes"
_LOCK = "xunwen:warming:"


@dataclass(slots=True)
class Warmer:
    searcher: Searcher
    hot: HotQueries
    cache: GuardedRedis
    queries: int
    """How many of a collection's hottest."""
    _seen: dict[str, str] = field(default_factory=dict)
    """Versions by collection."""

    async def run(self) -> None:
        """Looks every two seconds; never returns."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for collection in sorted(self.hot.collections):
                try:
                    await self.look(collection)
                except SearchError as error:
                    logger.info("not warmed", extra={"collection": collection, "why": error.detail})

    async def look(self, collection: str) -> int:
        """How many queries were computed. Raises what the searches raise."""
        version = await self.searcher.versions.current(collection)
        if version is None or self._seen.get(collection) == version:
            return 0
        self._seen[collection] = version
        asked: Any = self.cache.redis.set(
            f"{_LOCK}{collection}:{version}", 1, nx=True, ex=_LOCK_SECONDS
        )
        if not await self.cache.call(asked):
            return 0
        before: Any = self.cache.redis.hget(_INDEXES, collection)
        known: bytes | None = await self.cache.call(before)
        hottest = await self.hot.top(collection, self.queries)
        if not hottest:
            return 0
        await self._warm(hottest[0])
        index = self.searcher.indexes.get(collection)
        if index is None:  # it was in the cache already
            return 1
        noted: Any = self.cache.redis.hset(_INDEXES, collection, index)
        await self.cache.call(noted)
        if known is None or known.decode() == index:
            return 1
        for query in hottest[1:]:
            await self._warm(query)
        logger.info("warmed", extra={"collection": collection, "queries": len(hottest)})
        return len(hottest)

    async def _warm(self, query: HotQuery) -> None:
        seconds = self.searcher.budget_seconds
        try:
            await self.searcher.answer(
                query.search,
                Deadline.after(seconds),
                Asker(query.tenant, "warming"),
                CacheUse.NORMAL,
                patience=seconds,
                counted=False,
            )
        except Unavailable:
            raise
        except SearchError:
            return  # a query that is no longer possible; the next may be
