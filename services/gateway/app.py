"""The gateway's application: its layers, its routes, and the resources that it opens."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from services.common.redis.address import RedisAddress
from services.common.redis.client import opened_redis
from services.common.server.app import Resources, create_service_app
from services.common.server.foreign_pages import ForeignPages, is_loopback
from services.gateway.access.body_limits import BodyLimits
from services.gateway.access.described_keys import describe_keys
from services.gateway.access.doorkeeper import Doorkeeper
from services.gateway.access.gate import Gate
from services.gateway.access.keystore import KeyStore
from services.gateway.access.rate_limit import RateLimiter
from services.gateway.access.security_headers import SecurityHeaders
from services.gateway.agents.api import agent_door
from services.gateway.agents.api import router as agents_router
from services.gateway.compatible.busy import ModelCalls
from services.gateway.compatible.dify import router as dify_router
from services.gateway.compatible.embeddings import router as embeddings_router
from services.gateway.compatible.models import router as models_router
from services.gateway.compatible.reranking import router as reranking_router
from services.gateway.indexing.collections import router as collections_router
from services.gateway.indexing.contents import router as contents_router
from services.gateway.indexing.dictionaries import router as dictionaries_router
from services.gateway.indexing.formats import router as formats_router
from services.gateway.indexing.jobs import router as jobs_router
from services.gateway.indexing.query_rules import router as query_rules_router
from services.gateway.page.serving import add_web_page
from services.gateway.search.admin import router as admin_router
from services.gateway.search.api import router as search_router
from services.gateway.search.citations import router as citations_router
from services.gateway.search.quick_hits import QuickHits
from services.gateway.search.road import open_road
from services.gateway.search.similar import router as similar_router
from services.gateway.search.suggestions import router as suggestions_router
from services.gateway.settings import GatewaySettings
from services.gateway.stores.redis_client import GuardedRedis
from services.gateway.stores.state_reader import StateReader
from services.gateway.stores.upstream import open_services


def create_app(settings: GatewaySettings) -> FastAPI:
    """The application; it opens its resources when it starts and closes them when it ends."""

    @asynccontextmanager
    async def lifespan(registry: CollectorRegistry) -> AsyncIterator[Resources]:
        async with AsyncExitStack() as stack:
            services = await stack.enter_async_context(open_services(settings))
            state = await _redis(stack, settings.state_redis_url, "state store")
            cache = await _redis(stack, settings.cache_redis_url, "cache")
            reader = StateReader(state)
            stack.push_async_callback(reader.aclose)
            road = await stack.enter_async_context(
                open_road(settings, services, reader, cache, registry)
            )
            opened: dict[str, Any] = {
                "checks": {"recall": services.recall.check},
                "optional_checks": {
                    "rank": services.rank.check,
                    "indexer": services.indexer.check,
                    "state": state.check,
                    "cache": cache.check,
                },
                "settings": settings,
                "recall": services.recall,
                "rank": services.rank,
                "indexer": services.indexer,
                "encoding": ModelCalls(services.recall),
                "reranking": ModelCalls(services.rank),
                "answers": road.answers,
                "cached": road.cached,
                "admission": road.admission,
                "hot": road.hot,
                "field_names": road.field_names,
                "versions": road.versions,
                "frequent": road.frequent,
                "keystore": KeyStore(state),
                "doorkeeper": _doorkeeper(settings, reader, cache),
            }
            # Tools of agents call the routes, so they need the state of the routes.
            opened["agents"] = await stack.enter_async_context(agent_door(app, opened))
            yield opened

    app = create_service_app(
        title="Xunwen",
        version=version("xunwen"),
        routers=[
            search_router,
            similar_router,
            suggestions_router,
            citations_router,
            jobs_router,
            formats_router,
            contents_router,
            query_rules_router,
            dictionaries_router,
            collections_router,
            admin_router,
        ],
        foreign_routers=[
            embeddings_router,
            reranking_router,
            models_router,
            dify_router,
            agents_router,
        ],
        lifespan=lifespan,
        layers=_layers(settings),
    )
    if settings.keys_on:
        describe_keys(app)
    add_web_page(app)
    return app


def _layers(settings: GatewaySettings) -> list[Middleware]:
    """The layers that a request passes before its route, the outermost one first."""
    layers = [Middleware(SecurityHeaders)]
    if settings.cors_origins:
        layers.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
                allow_headers=["*"],  # Clients of OpenAI and MCP send several of their own.
                expose_headers=[
                    *("x-request-id", "x-cache", "age", "retry-after"),
                    *("x-encoder", "content-disposition"),  # of exports and originals
                ],
                max_age=600,
            )
        )
    limits = BodyLimits(settings.max_body_bytes, settings.max_upload_bytes, settings.body_seconds)
    layers.append(
        Middleware(
            Gate,
            limits=limits,
            max_requests=settings.max_requests,
            pages=ForeignPages(is_loopback(settings.host), frozenset(settings.cors_origins)),
        )
    )
    layers.append(Middleware(QuickHits))
    return layers


async def _redis(stack: AsyncExitStack, url: str, name: str) -> GuardedRedis:
    redis = await stack.enter_async_context(opened_redis(RedisAddress.parse(url)))
    return GuardedRedis(redis, name)


def _doorkeeper(
    settings: GatewaySettings, reader: StateReader, cache: GuardedRedis
) -> Doorkeeper | None:
    """The check of API keys; None if everybody may call."""
    if not settings.keys_on:
        return None
    operator_key = settings.operator_key.get_secret_value() if settings.operator_key else None
    return Doorkeeper(reader, RateLimiter(cache), operator_key)
