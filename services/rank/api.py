"""Routes of the rank service."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request

from services.common.request_context import Deadline, deadline_var
from services.common.wire.rank import RankRequest, RankResponse, RerankRequest, RerankResponse
from services.common.wire.recall import ModelInfo
from services.rank.blend import probability
from services.rank.cascade import Cascade
from services.rank.ranker import EngineRanker
from services.rank.settings import RankSettings

router = APIRouter(tags=["rank"])


async def _settings(request: Request) -> RankSettings:
    return cast(RankSettings, request.state.settings)


async def _deadline(settings: Annotated[RankSettings, Depends(_settings)]) -> Deadline:
    return deadline_var.get() or Deadline.after(settings.timeout_seconds)


Settings = Annotated[RankSettings, Depends(_settings)]
Budget = Annotated[Deadline, Depends(_deadline)]


@router.post("/rank")
async def rank(
    body: RankRequest, request: Request, settings: Settings, deadline: Budget
) -> RankResponse:
    """The best of a query's candidates, through all phases."""
    cascade: Cascade = request.state.cascade
    ranker: EngineRanker = request.state.ranker
    ranked = await cascade.rank(
        body.query,
        body.candidates,
        top_k=body.top_k,
        keep=body.keep or settings.keep,
        diversity=body.diversity,
        explain=body.explain,
        deadline=deadline,
    )
    return RankResponse(
        hits=ranked.hits,
        ranker=ranker.batched.ranker.manifest.fingerprint,
        stages=ranked.stages,
        degraded=ranked.degraded,
    )


@router.post("/rerank")
async def rerank(body: RerankRequest, request: Request, deadline: Budget) -> RerankResponse:
    """Relevance of texts to a query, by the model alone."""
    ranker: EngineRanker = request.state.ranker
    logits, tokens = await ranker.batched.score(body.query, body.documents, deadline)
    scores = probability(ranker.calibrated(logits).astype(float))
    return RerankResponse(
        scores=scores.tolist(), tokens=tokens, ranker=ranker.batched.ranker.manifest.fingerprint
    )


@router.get("/model")
async def model(request: Request) -> ModelInfo:
    """Which ranker answers here."""
    ranker: EngineRanker = request.state.ranker
    manifest = ranker.batched.ranker.manifest
    return ModelInfo(
        name=manifest.name,
        version=manifest.version,
        fingerprint=manifest.fingerprint,
        max_tokens=manifest.max_tokens,
        precision=ranker.batched.ranker.precision,
    )
