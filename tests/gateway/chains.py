"""Whole chains of a replica, with a cascade of the test's own, before real Redis servers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry

from services.common.calls.client import ServiceClient
from services.common.request_context import Deadline
from services.common.versions import new_version, version_key
from services.gateway.cache.levels import AnswerCache
from services.gateway.cache.local import LocalCache
from services.gateway.cache.policy import CacheUse, Lifetimes
from services.gateway.cache.redis import RedisCache
from services.gateway.cache.versions import VersionReader
from services.gateway.search import render
from services.gateway.search.admission.adaptive_limit import AdaptiveLimit
from services.gateway.search.admission.control import AdmissionControl
from services.gateway.search.answers import Ask, Asker, CacheState
from services.gateway.search.cascade.cascade import Cascade
from services.gateway.search.hot.queries import HotQueries
from services.gateway.search.links.admitted import Admitted
from services.gateway.search.links.cached import Cached
from services.gateway.search.links.kept import Kept
from services.gateway.search.links.key import Keys
from services.gateway.search.links.observed import Observed
from services.gateway.search.links.shared import Shared
from services.gateway.search.metrics import CacheMetrics, SearchMetrics
from services.gateway.search.model_watch import ModelWatch
from services.gateway.stores.redis_client import GuardedRedis
from services.gateway.stores.state_reader import StateReader
from tests.gateway.cascades import RANKER, CountingRecall, PlainRank, search

NOWHERE = "http://127.0.0.1:9"
LONG = Lifetimes(fresh=100, stale=1000, kept=10_000)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as a caller gets it."""

    body: bytes
    state: CacheState


def title(reply: Reply) -> str:
    return str(json.loads(reply.body)["hits"][0]["title"])


@dataclass(slots=True)
class Replica:
    """A gateway's chain and what the test reaches of it."""

    observed: Observed
    cached: Cached
    keys: Keys
    recall: CountingRecall
    rank: PlainRank
    metrics: CollectorRegistry

    @property
    def hot(self) -> HotQueries:
        return self.observed.hot

    async def ask(
        self,
        query: str = "创新",
        use: CacheUse = CacheUse.NORMAL,
        tenant: str = "-",
        seconds: float = 10.0,
        **changes: Any,
    ) -> Reply:
        asked = Ask(search(query, **changes), Deadline.after(seconds), Asker(tenant, tenant), use)
        answered = await self.observed.answer(asked)
        return Reply(render.answer(asked, answered), answered.state)


@asynccontextmanager
async def known_keys(state: GuardedRedis, cache: GuardedRedis) -> AsyncIterator[Keys]:
    """Keys whose models are known, before services that are away."""
    reader = StateReader(state)
    async with ServiceClient("recall", NOWHERE, timeout=1) as away:
        yield Keys(VersionReader(reader), ModelWatch(away, away, cache, RANKER))
    await reader.aclose()


def levels(cache: GuardedRedis, lifetimes: Lifetimes = LONG) -> AnswerCache:
    return AnswerCache(LocalCache(1_000_000, lambda: None), RedisCache(cache), lifetimes)


@asynccontextmanager
async def replica(
    state: GuardedRedis,
    cache: GuardedRedis,
    recall: CountingRecall,
    rank: PlainRank | None = None,
    lifetimes: Lifetimes = LONG,
) -> AsyncIterator[Replica]:
    rank = rank or PlainRank()
    registry = CollectorRegistry()
    metrics = SearchMetrics(registry)
    both = levels(cache, lifetimes)
    async with known_keys(state, cache) as keys:
        admission = AdmissionControl(AdaptiveLimit(8, 1, 8))
        admitted = Admitted(Cascade(recall, rank, 0.85), admission, metrics)
        shared = Shared(Kept(admitted, both, keys), both.local, both.redis)
        cached = Cached(shared, both, keys, refresh_seconds=10)
        observed = Observed(cached, HotQueries(cache), metrics, CacheMetrics(registry))
        try:
            yield Replica(observed, cached, keys, recall, rank, registry)
        finally:
            await cached.aclose()
            await shared.aclose()


async def written(redis: GuardedRedis) -> str:
    """Moves the version of `notes`, as the indexer does after each committed write."""
    moved = new_version()
    await redis.redis.set(version_key("notes"), moved)
    return moved
