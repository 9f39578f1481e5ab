"""Finds the most frequent queries: counts in this process, summed in Redis over two days."""

import asyncio
import logging
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.common.errors import Unavailable
from services.gateway.search.query.search import Search
from services.gateway.stores.redis_client import GuardedRedis

logger = logging.getLogger(__name__)

_PREFIX = "xunwen:hot:"
_FLUSH_SECONDS = 2.0
_DAY = 86_400
_KEPT = 1_000
"""Most queries that Redis keeps for each collection and day."""
_MAX_COUNTED = 10_000
"""Most distinct searches that are counted between two flushes; further ones are not counted."""
_MOST_BYTES = 4_096
"""Longest search, with its filter and options, that is counted. Nobody asks a longer one often, and
each that is counted is kept for two days."""


@dataclass(frozen=True, slots=True)
class HotQuery:
    """A search that a tenant makes often."""

    search: Search
    tenant: str
    count: float
    """Number of these searches today, plus half of yesterday's."""


@dataclass(slots=True)
class HotQueries:
    """Counts searches by collection and tenant."""

    cache: GuardedRedis
    collections: set[str] = field(default_factory=set)
    """Collections that were searched through this process, and were not deleted since."""
    _counts: dict[str, Counter[tuple[str, bytes]]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    _distinct: int = 0

    def count(self, search: Search, tenant: str) -> None:
        """Counts one search, unless it is very long or asks for a later page of one that was
        counted; Redis learns of it with the next flush."""
        later = search.arrangement is not None and search.arrangement.following is not None
        if later or len(search.canonical) > _MOST_BYTES:
            return
        counts = self._counts[search.collection]
        counted = (tenant, search.canonical)
        if counted not in counts:
            if self._distinct >= _MAX_COUNTED:
                return
            self._distinct += 1
        counts[counted] += 1

    async def run(self) -> None:
        """Flushes every two seconds; never returns."""
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Adds the counts of this process to those in Redis; they are lost while Redis is away."""
        counted, self._counts, self._distinct = self._counts, defaultdict(Counter), 0
        if not counted:
            return
        self.collections |= counted.keys()
        pipe = self.cache.redis.pipeline(transaction=False)
        for collection, counts in counted.items():
            key = _key(collection, 0)
            for (tenant, canonical), count in counts.items():
                pipe.zincrby(key, count, orjson.dumps([tenant, orjson.Fragment(canonical)]))
            pipe.zremrangebyrank(key, 0, -_KEPT - 1)
            pipe.expire(key, 2 * _DAY)
        try:
            await self.cache.call(pipe.execute())
        except Unavailable:
            return

    async def top(self, collection: str, n: int) -> list[HotQuery]:
        """The n most frequent searches, the most frequent first, without those that this release
        cannot read. Raises Unavailable."""
        weights = {_key(collection, 0): 1.0, _key(collection, 1): 0.5}
        command: Any = self.cache.redis.zunion(weights, withscores=True)
        counted: list[tuple[bytes, float]] = await self.cache.call(command)
        counted.sort(key=lambda pair: (-pair[1], pair[0]))
        readable: list[HotQuery] = []
        unreadable = 0
        for member, count in counted:
            if len(readable) >= n:
                break
            if (query := _hot_query(member, count)) is None:
                unreadable += 1
            else:
                readable.append(query)
        if unreadable:
            logger.info(
                "frequent queries that another release stored were left out",
                extra={"collection": collection, "queries": unreadable},
            )
        return readable


def _key(collection: str, days_ago: int) -> str:
    # The braces put a collection's days on one node of a Redis Cluster, which can then add them.
    return f"{_PREFIX}{{{collection}}}:{int(time.time()) // _DAY - days_ago}"


def _hot_query(member: bytes, count: float) -> HotQuery | None:
    """The counted search; None for what this release does not know how to read."""
    try:
        tenant, members = orjson.loads(member)
        search = Search.from_members(members)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    if not isinstance(tenant, str) or not isinstance(search.query, str):
        return None
    return HotQuery(search, tenant, count)
