"""`GET /v1/models` in OpenAI's schema: the encoder and the ranker that answer."""

import asyncio

from fastapi import APIRouter

from services.common.errors import Unavailable
from services.common.service_client import ServiceClient
from services.common.wire.encode import ModelInfo
from services.gateway.compatible.openai_json import Kind, Model, Models
from services.gateway.stores.upstream import Rank, Recall

router = APIRouter(tags=["compatible"])


@router.get("/v1/models", summary="The models that answer")
async def models(recall: Recall, rank: Rank) -> Models:
    """Lists the models of the services that answer now; an error if neither does."""
    answers = await asyncio.gather(_model(recall, "encoder"), _model(rank, "ranker"))
    known = [model for model in answers if isinstance(model, Model)]
    if not known:
        raise Unavailable("Neither the recall nor the rank service answers; try again shortly.")
    return Models(data=known)


async def _model(service: ServiceClient, kind: Kind) -> Model | None:
    """The model of a service; None if the service does not answer."""
    try:
        info = await service.ask("GET", "/model", ModelInfo)
    except Unavailable:
        return None
    return Model(
        id=info.name,
        kind=kind,
        version=info.version,
        fingerprint=info.fingerprint,
        dimension=info.dimension,
        max_tokens=info.max_tokens,
    )
