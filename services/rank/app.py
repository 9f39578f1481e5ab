"""The rank service: what it opens, and its application."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware

from services.common.abandoned import DropAbandoned
from services.common.app import Resources, create_service_app
from services.common.engine import Ranker, batched_ranker
from services.common.text import WordAnalyzer
from services.rank.api import router
from services.rank.blend import read_blend
from services.rank.cascade import Cascade
from services.rank.ranker import EngineRanker
from services.rank.settings import RankSettings

logger = logging.getLogger(__name__)


def create_app(settings: RankSettings, ranker: Ranker) -> FastAPI:
    """The application. The ranker is loaded before: a bad model directory ends the process.

    Raises ModelInvalid when the blend's file cannot be used.
    """
    blend = read_blend(settings.blend)
    if blend.ranker and blend.ranker != ranker.manifest.fingerprint:
        logger.warning(
            "the weights were fitted for another ranker, so scores are not calibrated;"
            " fit them with `xunwen eval blend` and name the file in XUNWEN_RANK_BLEND",
            extra={"fitted_for": blend.ranker, "ranker": ranker.manifest.fingerprint},
        )

    @asynccontextmanager
    async def lifespan(registry: CollectorRegistry) -> AsyncIterator[Resources]:
        async with batched_ranker(
            ranker, queued_tokens=settings.queued_tokens, registry=registry
        ) as batched:
            fine = EngineRanker(batched)
            yield {
                "vital_checks": {"model": batched.alive},
                "settings": settings,
                "ranker": fine,
                "cascade": Cascade(fine, WordAnalyzer(), blend, settings.duplicate),
            }

    return create_service_app(
        title="Xunwen rank",
        version=version("xunwen"),
        routers=[router],
        lifespan=lifespan,
        internal_token=settings.token(),
        layers=[Middleware(DropAbandoned)],
    )
