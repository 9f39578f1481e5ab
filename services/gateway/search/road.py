"""Builds the chain of links that a search passes, and the tasks that run beside it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from services.gateway.cache.levels import AnswerCache
from services.gateway.cache.local import LocalCache
from services.gateway.cache.policy import Lifetimes
from services.gateway.cache.redis import RedisCache
from services.gateway.cache.versions import VersionReader
from services.gateway.search.admission.adaptive_limit import AdaptiveLimit
from services.gateway.search.admission.control import AdmissionControl
from services.gateway.search.cascade.cascade import Cascade
from services.gateway.search.cascade.rank_service import RankService
from services.gateway.search.cascade.recall_service import RecallService
from services.gateway.search.cascade.rules import RuleBooks
from services.gateway.search.field_names import FieldNames
from services.gateway.search.hot.frequent import FrequentQueries
from services.gateway.search.hot.queries import HotQueries
from services.gateway.search.hot.warming import Warmer
from services.gateway.search.links.admitted import Admitted
from services.gateway.search.links.arranging import Arranging
from services.gateway.search.links.cached import Cached
from services.gateway.search.links.kept import Kept
from services.gateway.search.links.key import Keys
from services.gateway.search.links.observed import Observed
from services.gateway.search.links.shared import Shared
from services.gateway.search.links.walks import Walks
from services.gateway.search.metrics import CacheMetrics, SearchMetrics, watch_admission
from services.gateway.search.model_watch import ModelWatch
from services.gateway.settings import MIB, GatewaySettings
from services.gateway.stores.background import running
from services.gateway.stores.redis_client import GuardedRedis
from services.gateway.stores.state_reader import StateReader
from services.gateway.stores.upstream import Services

_FEWEST = 2
"""Least number of searches that are let in at once, so that one slow search does not shut out
another."""
_WALK_SECONDS = 900.0
"""Seconds for which a walk is kept after its first page, beside the age up to which that page may
come from the cache."""


@dataclass(frozen=True, slots=True)
class Road:
    """The parts of the chain that routes use."""

    answers: Observed
    """The first link of the chain, which answers searches."""
    cached: Cached
    """The link of the chain that knows the cache."""
    admission: AdmissionControl
    """The places of the chain, which other routes to recall share."""
    hot: HotQueries
    field_names: FieldNames
    versions: VersionReader
    frequent: FrequentQueries


@asynccontextmanager
async def open_road(
    settings: GatewaySettings,
    services: Services,
    reader: StateReader,
    cache: GuardedRedis,
    registry: CollectorRegistry,
) -> AsyncIterator[Road]:
    """Builds the chain over these services and stores; cancels its computations when the block
    ends."""
    async with AsyncExitStack() as stack:
        metrics, cache_metrics = SearchMetrics(registry), CacheMetrics(registry)
        for client in (services.recall, services.rank, services.indexer):
            metrics.watch(client)
        models = ModelWatch(services.recall, services.rank, cache)
        await models.begin()
        versions = VersionReader(reader)
        keys, hot = Keys(versions, models), HotQueries(cache)
        levels = _cache(settings, cache, cache_metrics)
        recall = RecallService(services.recall)
        books = RuleBooks(reader)
        stack.push_async_callback(books.aclose)
        cascade = Cascade(recall, RankService(services.rank), settings.recall_share, books)
        walks = Walks(levels, settings.cache_stale_seconds + _WALK_SECONDS)
        admission = _admission(settings, registry)
        admitted = Admitted(Arranging(cascade, recall, walks), admission, metrics)
        shared = Shared(Kept(admitted, levels, keys), levels.local, levels.redis)
        stack.push_async_callback(levels.redis.stored)
        stack.push_async_callback(shared.aclose)
        budget_seconds = settings.budget_ms / 1000
        cached = Cached(shared, levels, keys, budget_seconds)
        stack.push_async_callback(cached.aclose)
        warmer = Warmer(cached, versions, hot, cache, settings.warm_queries, budget_seconds)
        for work in (models.run, hot.run, warmer.run):
            await stack.enter_async_context(running(work))
        observed = Observed(cached, hot, metrics, cache_metrics)
        field_names = FieldNames(recall, versions)
        yield Road(observed, cached, admission, hot, field_names, versions, FrequentQueries(hot))


def _cache(settings: GatewaySettings, cache: GuardedRedis, metrics: CacheMetrics) -> AnswerCache:
    local = LocalCache(settings.cache_local_mb * MIB, metrics.evicted)
    metrics.watch(local)
    lifetimes = Lifetimes(
        settings.cache_fresh_seconds, settings.cache_stale_seconds, settings.cache_kept_seconds
    )
    return AnswerCache(local, RedisCache(cache), lifetimes)


def _admission(settings: GatewaySettings, registry: CollectorRegistry) -> AdmissionControl:
    limit = AdaptiveLimit(settings.concurrency, _FEWEST, settings.max_concurrency)
    admission = AdmissionControl(limit)
    watch_admission(registry, admission)
    return admission
