"""The application of the recall service, with the resources that it opens."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware

from services.common.blend import FittedWeights, read_weights
from services.common.engine import Encoder
from services.common.engine.metrics import EngineMetrics
from services.common.model_dir.encoders import EncoderDirectories
from services.common.server.abandoned import DropAbandoned
from services.common.server.app import Resources, create_service_app
from services.common.server.internal_calls import InternalCalls
from services.common.text import Analyzers
from services.recall.api import router
from services.recall.encoders import Encoders
from services.recall.fields.boosts import Booster
from services.recall.fields.lists import Lists
from services.recall.findings import Finder
from services.recall.legs.fusion import Fusion
from services.recall.legs.query_fusion import QueryFusion
from services.recall.milvus.index import milvus_document_index
from services.recall.query.analyzers import IndexAnalyzers
from services.recall.recaller import Recaller
from services.recall.settings import RecallSettings
from services.recall.suggestions.api import router as suggestions_router
from services.recall.suggestions.suggester import Suggester

logger = logging.getLogger(__name__)


def create_app(
    settings: RecallSettings,
    directories: EncoderDirectories,
    default: Encoder,
    analyzers: Analyzers,
) -> FastAPI:
    """The application. The default encoder and the dictionaries were loaded before.

    Raises ModelInvalid when the file of weights cannot be used.
    """
    weights = read_weights(settings.blend)
    _compare_encoders(weights, directories.default.fingerprint)
    fusion, query_fusion = _fusions(settings, weights)

    @asynccontextmanager
    async def lifespan(registry: CollectorRegistry) -> AsyncIterator[Resources]:
        async with AsyncExitStack() as stack:
            encoders = await stack.enter_async_context(
                Encoders(
                    directories,
                    default,
                    settings.predictor_options(),
                    most_bytes=settings.encoder_memory_mb << 20,
                    queued_tokens=settings.queued_tokens,
                    metrics=EngineMetrics(registry),
                )
            )
            index = await stack.enter_async_context(
                milvus_document_index(
                    settings.milvus(),
                    ef=settings.ef,
                    nprobe=settings.nprobe,
                )
            )
            by_index = IndexAnalyzers(analyzers, index)
            suggester = Suggester(index, by_index)
            stack.push_async_callback(suggester.aclose)
            lists = Lists(index)
            booster = Booster(lists, _span(weights))
            finder = Finder(index, encoders, by_index)
            recaller = Recaller(finder, fusion, query_fusion, booster, lists)
            yield {
                "checks": {"milvus": index.check},
                "vital_checks": {"model": encoders.alive},
                "settings": settings,
                "encoders": encoders,
                "index": index,
                "recaller": recaller,
                "lists": lists,
                "suggester": suggester,
            }

    return create_service_app(
        title="Xunwen recall",
        version=version("xunwen"),
        routers=[router, suggestions_router],
        lifespan=lifespan,
        internal=InternalCalls(settings.token(), settings.host),
        layers=[Middleware(DropAbandoned)],
    )


def _fusions(settings: RecallSettings, weights: FittedWeights) -> tuple[Fusion, QueryFusion | None]:
    """The constant fusion of the legs, and the fitted one by query, None if the settings demand
    another way or the file of weights has none."""
    if settings.fusion == "weighted" and settings.dense_weight is None:
        constant = Fusion(dense_weight=weights.dense_weight)
        return constant, QueryFusion.of(weights) if weights.fusion else None
    logger.warning(
        "the weights of ranking were fitted for another fusion of the legs, so scores are not"
        " calibrated; fit them with `xunwen eval blend --dense-weight`, or leave"
        " XUNWEN_RECALL_FUSION and XUNWEN_RECALL_DENSE_WEIGHT unset",
        extra={"fusion": settings.fusion, "dense_weight": settings.dense_weight},
    )
    weight = weights.dense_weight if settings.dense_weight is None else settings.dense_weight
    return Fusion(settings.fusion, weight, settings.rank_constant), None


def _span(weights: FittedWeights) -> float:
    """Log-odds between a candidate with the worst and one with the best coarse features."""
    return max(sum(weights.coarse.values()), 1.0)


def _compare_encoders(weights: FittedWeights, encoder: str) -> None:
    """Warns in the log if the weights of fusion and ranking were fitted for another encoder."""
    if weights.encoder and weights.encoder != encoder:
        logger.warning(
            "the weights of fusion and ranking were fitted for another encoder, so scores are not"
            " calibrated; fit them with `xunwen eval blend` and name the file in"
            " XUNWEN_RECALL_BLEND and XUNWEN_RANK_BLEND",
            extra={"fitted_for": weights.encoder, "encoder": encoder},
        )
