"""The gateway: what it opens, and its application."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.common.app import Resources, create_service_app
from services.common.errors import Unavailable
from services.common.probes import Check
from services.common.service_client import ServiceClient
from services.gateway.api import collections, compatible, jobs, search
from services.gateway.clients import RankService, RecallService
from services.gateway.domain import Cascade
from services.gateway.metrics import SearchMetrics
from services.gateway.searcher import Searcher
from services.gateway.settings import GatewaySettings
from services.gateway.versions import RedisVersions
from services.gateway.web import add_web_page


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

            async def redis(url: str) -> Redis:
                return await stack.enter_async_context(
                    Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0)
                )

            slowest = settings.max_budget_ms / 1000
            recall = await client("recall", settings.recall_url, slowest)
            rank = await client("rank", settings.rank_url, slowest)
            indexer = await client("indexer", settings.indexer_url, 120.0)
            state = await redis(settings.state_redis_url)
            cache = await redis(settings.cache_redis_url)
            cascade = Cascade(RecallService(recall), RankService(rank), settings.recall_share)
            yield {
                "checks": {"recall": recall.check},
                "optional_checks": {
                    "rank": rank.check,
                    "indexer": indexer.check,
                    "state": _redis_check(state, "state store"),
                    "cache": _redis_check(cache, "cache"),
                },
                "settings": settings,
                "recall": recall,
                "rank": rank,
                "indexer": indexer,
                "searcher": Searcher(cascade, RedisVersions(state), metrics),
            }

    app = create_service_app(
        title="Xunwen",
        version=version("xunwen"),
        routers=[search.router, jobs.router, collections.router, compatible.router],
        lifespan=lifespan,
    )
    add_web_page(app)
    return app


def _redis_check(redis: Redis, what: str) -> Check:
    async def check() -> None:
        try:
            await redis.ping()
        except (RedisError, OSError) as error:
            raise Unavailable(f"The {what} does not answer.") from error

    return check
