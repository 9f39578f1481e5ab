"""Which queries are asked most: counted here, summed up in Redis over today and yesterday."""

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.common.errors import Unavailable
from services.common.wire.recall import Mode
from services.gateway.cache.policy import canonical
from services.gateway.domain import Search
from services.gateway.redis_client import GuardedRedis

_PREFIX = "xunwen:hot:"
_FLUSH_SECONDS = 2.0
_DAY = 86_400
_KEPT = 1_000
"""Queries per collection and day."""
_MAX_COUNTED = 10_000
"""Distinct searches between two flushes; what comes beyond is not hot."""


@dataclass(frozen=True, slots=True)
class HotQuery:
    search: Search
    tenant: str
    count: float
    """Searches of today and half of yesterday's."""


@dataclass(slots=True)
class HotQueries:
    cache: GuardedRedis
    collections: set[str] = field(default_factory=set)
    """That were searched through this process."""
    _counts: dict[str, Counter[tuple[str, bytes]]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    _distinct: int = 0

    def count(self, search: Search, tenant: str, members: bytes | None = None) -> None:
        """`members` are the search's canonical bytes, where they are at hand."""
        counts = self._counts[search.collection]
        searched = (tenant, members or canonical(search))
        if searched not in counts:
            if self._distinct >= _MAX_COUNTED:
                return
            self._distinct += 1
        counts[searched] += 1

    async def run(self) -> None:
        """Passes the counts on every two seconds; never returns."""
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        counted, self._counts, self._distinct = self._counts, defaultdict(Counter), 0
        if not counted:
            return
        self.collections |= counted.keys()
        pipe = self.cache.redis.pipeline(transaction=False)
        for collection, counts in counted.items():
            key = _key(collection, 0)
            for (tenant, searched), count in counts.items():
                pipe.zincrby(key, count, orjson.dumps([tenant, orjson.Fragment(searched)]))
            pipe.zremrangebyrank(key, 0, -_KEPT - 1)
            pipe.expire(key, 2 * _DAY)
        try:
            await self.cache.call(pipe.execute())
        except Unavailable:
            return  # counts of two seconds are no loss

    async def top(self, collection: str, n: int) -> list[HotQuery]:
        """The most asked first. Raises Unavailable."""
        weights = {_key(collection, 0): 1.0, _key(collection, 1): 0.5}
        summed: Any = self.cache.redis.zunion(weights, withscores=True)
        found: list[tuple[bytes, float]] = await self.cache.call(summed)
        found.sort(key=lambda pair: (-pair[1], pair[0]))
        return [_read(member, count) for member, count in found[:n]]


def _key(collection: str, days_ago: int) -> str:
    return f"{_PREFIX}{collection}:{int(time.time()) // _DAY - days_ago}"


def _read(member: bytes, count: float) -> HotQuery:
    tenant, members = orjson.loads(member)
    members["mode"] = Mode(members["mode"])
    return HotQuery(Search(**members), tenant, count)
