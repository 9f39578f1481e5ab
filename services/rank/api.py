"""Routes of the rank service."""

import asyncio
from typing import Annotated

from fastapi import APIRouter

from services.common.model_dir import Untitled
from services.common.odds import probability
from services.common.server.resources import DeadlineDep, opened
from services.common.wire.encode import ModelInfo
from services.common.wire.rank import RankRequest, RankResponse, RerankRequest, RerankResponse
from services.rank.phases import RankingPhases
from services.rank.ranker import EngineRanker

router = APIRouter(tags=["rank"])

PhasesDep = Annotated[RankingPhases, opened("phases")]
RankerDep = Annotated[EngineRanker, opened("ranker")]


@router.post("/rank")
async def rank(
    body: RankRequest, phases: PhasesDep, ranker: RankerDep, deadline: DeadlineDep
) -> RankResponse:
    """Ranks the candidates of a query through all phases and returns the best."""
    ranked = await phases.rank(
        body.query,
        body.candidates,
        top_k=body.top_k,
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
async def rerank(body: RerankRequest, ranker: RankerDep, deadline: DeadlineDep) -> RerankResponse:
    """Scores texts for a query by the cross-encoder alone, in the order of the texts."""
    manifest = ranker.batched.ranker.manifest
    documents = [Untitled(text) for text in body.documents]
    texts = await asyncio.to_thread(manifest.texts_beside, body.query, documents)
    logits, tokens = await ranker.batched.score(body.query, texts, deadline)
    scores = probability(manifest.log_odds(logits).astype(float))
    return RerankResponse(scores=scores.tolist(), tokens=tokens, ranker=manifest.fingerprint)


@router.get("/model")
async def model(ranker: RankerDep) -> ModelInfo:
    """Describes the ranker that this service has loaded."""
    manifest = ranker.batched.ranker.manifest
    return ModelInfo(
        name=manifest.name,
        version=manifest.version,
        fingerprint=manifest.fingerprint,
        max_tokens=manifest.max_tokens,
        precision=ranker.batched.ranker.precision,
    )
