"""The rank service: what it opens, and its application."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware

from services.common.blend import read_weights
from services.common.engine import Ranker, batched_ranker
from services.common.engine.metrics import EngineMetrics
from services.common.engine.remote_directory import is_remote
from services.common.server.abandoned import DropAbandoned
from services.common.server.app import Resources, create_service_app
from services.common.server.internal_calls import InternalCalls
from services.common.text import WordAnalyzer
from services.rank.api import router
from services.rank.blend import Blend
from services.rank.phases import RankingPhases
from services.rank.ranker import EngineRanker
from services.rank.settings import RankSettings
from services.rank.stopping import PASS_CANDIDATES, StopRule

logger = logging.getLogger(__name__)


def create_app(settings: RankSettings, ranker: Ranker) -> FastAPI:
    """The application for a ranker that has been loaded before.

    A bad model directory thus ends the process before it listens. Raises ModelInvalid if the
    blend's file cannot be used.
    """
    weights = read_weights(settings.blend)
    blend = Blend.of(weights)
    if blend.ranker and blend.ranker != ranker.manifest.fingerprint:
        logger.warning(
            "the weights were fitted for another ranker, so scores are not calibrated;"
            " fit them with `xunwen eval blend` and name the file in XUNWEN_RANK_BLEND",
            extra={"fitted_for": blend.ranker, "ranker": ranker.manifest.fingerprint},
        )

    @asynccontextmanager
    async def lifespan(registry: CollectorRegistry) -> AsyncIterator[Resources]:
        metrics = EngineMetrics(registry)
        metrics.shows(ranker.manifest, ranker.precision)
        async with batched_ranker(
            ranker, queued_tokens=settings.queued_tokens, metrics=metrics
        ) as batched:
            fine = EngineRanker(batched)
            yield {
                "vital_checks": {"model": batched.alive},
                "settings": settings,
                "ranker": fine,
                "phases": RankingPhases(
                    fine,
                    WordAnalyzer(),
                    blend,
                    duplicate=settings.duplicate,
                    depth=settings.keep,
                    stop=StopRule.of(weights),
                    pass_candidates=(
                        settings.keep if is_remote(ranker.manifest) else PASS_CANDIDATES
                    ),
                ),
            }

    return create_service_app(
        title="Xunwen rank",
        version=version("xunwen"),
        routers=[router],
        lifespan=lifespan,
        internal=InternalCalls(settings.token(), settings.host),
        layers=[Middleware(DropAbandoned)],
    )
