"""The gateway: what it opens, and its application."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from services.common.app import Resources, create_service_app
from services.common.service_client import ServiceClient
from services.gateway.access.body_limits import BodyLimits
from services.gateway.access.described_keys import describe_keys
from services.gateway.access.doorkeeper import Doorkeeper
from services.gateway.access.gate import Gate
from services.gateway.access.keystore import KeyStore
from services.gateway.access.rate_limit import RateLimiter
from services.gateway.access.security_headers import SecurityHeaders
from services.gateway.admission.adaptive_limit import AdaptiveLimit
from services.gateway.admission.control import AdmissionControl
from services.gateway.api import admin, collections, compatible, jobs, search
from services.gateway.background import running
from services.gateway.cache.hot import HotQueries
from services.gateway.cache.local import LocalCache
from services.gateway.cache.policy import Lifetimes
from services.gateway.cache.quick_hits import QuickHits
from services.gateway.cache.redis import RedisCache
from services.gateway.cache.versions import RedisVersions
from services.gateway.cache.warming import Warmer
from services.gateway.clients import RankService, RecallService
from services.gateway.domain import Cascade
from services.gateway.metrics import CacheMetrics, SearchMetrics, watch_admission
from services.gateway.models import ModelWatch
from services.gateway.redis_client import GuardedRedis, connect
from services.gateway.searcher import Searcher
from services.gateway.settings import MIB, GatewaySettings
from services.gateway.state_reader import StateReader
from services.gateway.web import add_web_page

_FEWEST = 2
"""Searches at once that are always let in: two people must not shut each other out."""


def create_app(settings: GatewaySettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(registry: CollectorRegistry) -> AsyncIterator[Resources]:
        token = settings.token()
        async with AsyncExitStack() as stack:
            metrics = SearchMetrics(registry)

            async def client(name: str, url: str, seconds: float) -> ServiceClient:
                made = ServiceClient(name, url, timeout=seconds, token=token)
                metrics.watch(made)
                return await stack.enter_async_context(made)

            async def redis(url: str, what: str) -> GuardedRedis:
                return GuardedRedis(await stack.enter_async_context(connect(url)), what)

            slowest = settings.max_budget_ms / 1000
            recall = await client("recall", settings.recall_url, slowest)
            rank = await client("rank", settings.rank_url, slowest)
            indexer = await client("indexer", settings.indexer_url, 120.0)
            state = await redis(settings.state_redis_url, "state store")
            cache = await redis(settings.cache_redis_url, "cache")
            cascade = Cascade(RecallService(recall), RankService(rank), settings.recall_share)
            reader = StateReader(state)
            stack.push_async_callback(reader.aclose)
            watch = ModelWatch(recall, rank, cache)
            await watch.begin()
            admission = AdmissionControl(
                AdaptiveLimit(settings.concurrency, _FEWEST, settings.max_concurrency)
            )
            watch_admission(registry, admission)
            cache_metrics = CacheMetrics(registry)
            local = LocalCache(settings.cache_local_mb * MIB, cache_metrics.evicted)
            cache_metrics.watch(local)
            hot = HotQueries(cache)
            searcher = Searcher(
                cascade=cascade,
                versions=RedisVersions(reader),
                models=watch,
                local=local,
                shared=RedisCache(cache),
                lifetimes=Lifetimes(
                    settings.cache_fresh_seconds,
                    settings.cache_stale_seconds,
                    settings.cache_kept_seconds,
                ),
                admission=admission,
                hot=hot,
                metrics=metrics,
                cache_metrics=cache_metrics,
                budget_seconds=settings.budget_ms / 1000,
            )
            stack.push_async_callback(searcher.aclose)
            warmer = Warmer(searcher, hot, cache, settings.warm_queries)
            for work in (watch.run, hot.run, warmer.run):
                await stack.enter_async_context(running(work))
            yield {
                "checks": {"recall": recall.check},
                "optional_checks": {
                    "rank": rank.check,
                    "indexer": indexer.check,
                    "state": state.check,
                    "cache": cache.check,
                },
                "settings": settings,
                "recall": recall,
                "rank": rank,
                "indexer": indexer,
                "searcher": searcher,
                "hot": hot,
                "keystore": KeyStore(state),
                "doorkeeper": Doorkeeper(
                    reader,
                    RateLimiter(cache),
                    settings.operator_key.get_secret_value() if settings.operator_key else None,
                )
                if settings.keys_on
                else None,
            }

    layers = [Middleware(SecurityHeaders)]
    if settings.cors_origins:
        layers.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST", "PUT", "DELETE"],
                allow_headers=["authorization", "content-type", "idempotency-key", "cache-control"],
                expose_headers=["x-request-id", "x-cache", "age", "retry-after"],
                max_age=600,
            )
        )
    limits = BodyLimits(settings.max_body_bytes, settings.max_upload_bytes, settings.body_seconds)
    layers.append(Middleware(Gate, limits=limits, max_requests=settings.max_requests))
    layers.append(Middleware(QuickHits))
    app = create_service_app(
        title="Xunwen",
        version=version("xunwen"),
        routers=[
            search.router,
            jobs.router,
            collections.router,
            compatible.router,
            admin.router,
        ],
        lifespan=lifespan,
        layers=layers,
    )
    if settings.keys_on:
        describe_keys(app)
    add_web_page(app)
    return app
