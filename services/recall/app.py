"""The recall service: what it opens, and its application."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware

from services.common.abandoned import DropAbandoned
from services.common.app import Resources, create_service_app
from services.common.engine import Encoder, batched_encoder
from services.common.text import Analyzers
from services.recall.api import router
from services.recall.encoder import EngineQueryEncoder
from services.recall.milvus import milvus_index
from services.recall.recaller import Recaller
from services.recall.settings import RecallSettings


def create_app(settings: RecallSettings, encoder: Encoder, analyzers: Analyzers) -> FastAPI:
    """The application. What it is given is loaded before: what is bad there ends the process."""

    @asynccontextmanager
    async def lifespan(registry: CollectorRegistry) -> AsyncIterator[Resources]:
        token = settings.milvus_token
        async with AsyncExitStack() as stack:
            batched = await stack.enter_async_context(
                batched_encoder(encoder, queued_tokens=settings.queued_tokens, registry=registry)
            )
            index = await stack.enter_async_context(
                milvus_index(
                    settings.milvus_uri,
                    token.get_secret_value() if token else None,
                    ef=settings.ef,
                    nprobe=settings.nprobe,
                )
            )
            recaller = Recaller(
                index, EngineQueryEncoder(batched), analyzers, settings.fusion_of_legs()
            )
            yield {
                "checks": {"milvus": index.check},
                "vital_checks": {"model": batched.alive},
                "settings": settings,
                "encoder": batched,
                "recaller": recaller,
            }

    return create_service_app(
        title="Xunwen recall",
        version=version("xunwen"),
        routers=[router],
        lifespan=lifespan,
        internal_token=settings.token(),
        layers=[Middleware(DropAbandoned)],
    )
