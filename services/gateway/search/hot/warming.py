"""Computes the most frequent queries after a rebuild or a rollback, before callers send them.

A moved version says that something was written. The most frequent query, computed again, shows
whether another index answers now; only then does one replica compute the others too.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from services.common.errors import SearchError, Unavailable
from services.common.request_context import Deadline
from services.gateway.cache.versions import VersionReader
from services.gateway.search.answers import Answers, Ask, Asker
from services.gateway.search.hot.queries import HotQueries, HotQuery
from services.gateway.stores.redis_client import GuardedRedis

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_LOCK_SECONDS = 600
_INDEXES = "xunwen:indexes"
_LOCK = "xunwen:warming:"


@dataclass(slots=True)
class Warmer:
    """Watches the collections that are searched through this process."""

    answers: Answers
    """The chain from the cache on, so that computed answers are stored."""
    versions: VersionReader
    hot: HotQueries
    cache: GuardedRedis
    queries: int
    """Number of a collection's queries to compute, the most frequent first."""
    budget_seconds: float
    """Budget of each query in seconds."""
    _seen: dict[str, str] = field(default_factory=dict, init=False)
    """Index version of each collection at the last look."""

    async def run(self) -> None:
        """Looks every two seconds; never returns."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for collection in sorted(self.hot.collections):
                try:
                    await self.look(collection)
                except SearchError as error:
                    logger.info(
                        "the frequent queries of a collection were not computed",
                        extra={"collection": collection, "why": error.detail},
                    )

    async def look(self, collection: str) -> int:
        """Computes the queries of a collection if its index changed; returns the number of those
        that it tried. What fails is tried again at the next look, and what is cut off by the end of
        the process at that of another one. Raises Unavailable."""
        version = await self.versions.current(collection)
        if version is None:  # It was deleted; another search of its name has it watched again.
            self.hot.collections.discard(collection)
            self._seen.pop(collection, None)
            return 0
        if self._seen.get(collection) == version:
            return 0
        lock = f"{_LOCK}{collection}:{version}"
        taken: Any = self.cache.redis.set(lock, 1, nx=True, ex=_LOCK_SECONDS)
        tried = 0
        if await self.cache.call(taken):
            try:
                tried = await self._computed(collection)
            except BaseException:
                given_back: Any = self.cache.redis.delete(lock)
                with suppress(Unavailable):  # The lock ends by itself.
                    await self.cache.call(given_back)
                raise
        self._seen[collection] = version
        return tried

    async def _computed(self, collection: str) -> int:
        """Computes the first valid query, and the others if another index answered it than was
        noted; returns the number of queries that were tried. Raises Unavailable."""
        before: Any = self.cache.redis.hget(_INDEXES, collection)
        known: bytes | None = await self.cache.call(before)
        frequent = await self.hot.top(collection, self.queries)
        index, tried = None, 0
        while index is None and tried < len(frequent):
            index = await self._warm(frequent[tried])
            tried += 1
        if index is None:
            return tried
        if known is not None and known != index.encode():
            for query in frequent[tried:]:
                await self._warm(query)
            tried = len(frequent)
            logger.info(
                "the frequent queries of a collection were computed",
                extra={"collection": collection, "queries": tried},
            )
        # Noted at the end: what was cut off before is computed at the next look.
        note: Any = self.cache.redis.hset(_INDEXES, collection, index)
        await self.cache.call(note)
        return tried

    async def _warm(self, query: HotQuery) -> str | None:
        """The index that answered; None for a query that is not valid now. Raises Unavailable."""
        ask = Ask(
            query.search,
            Deadline.after(self.budget_seconds),
            Asker(query.tenant, "warming"),
            patience=self.budget_seconds,
        )
        try:
            return (await self.answers.answer(ask)).index
        except Unavailable:
            raise
        except SearchError:
            return None
