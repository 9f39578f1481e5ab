"""`GET /v1/models` and `/v1/models/{model}` in OpenAI's schema: the encoder and the ranker that
answer."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path

from services.common.calls.client import ServiceClient
from services.common.documents import STORED_ID_PATTERN
from services.common.errors import NotFound, Unavailable
from services.common.wire.encode import ModelInfo
from services.gateway.compatible.openai_json import Kind, Model, Models
from services.gateway.stores.upstream import Rank, Recall

router = APIRouter(tags=["compatible"])

_KINDS: tuple[Kind, ...] = ("encoder", "ranker")
"""Kinds of models, in the order in which they are listed."""


@router.get("/v1/models", summary="The models that answer")
async def models(recall: Recall, rank: Rank) -> Models:
    """Lists the models of the services that answer now; an error if neither does."""
    known = await _known(recall, rank)
    if not known:
        raise Unavailable("Neither the recall nor the rank service answers; try again shortly.")
    return Models(data=known)


@router.get("/v1/models/{model:path}", summary="One of the models that answer")
async def one_model(
    model: Annotated[str, Path(json_schema_extra={"pattern": STORED_ID_PATTERN})],
    recall: Recall,
    rank: Rank,
) -> Model:
    """Describes the model with this name or fingerprint."""
    known = await _known(recall, rank)
    for one in known:
        if model in (one.id, one.fingerprint):
            return one
    if len(known) < len(_KINDS):
        raise Unavailable("A service that may have this model does not answer; try again shortly.")
    raise NotFound(
        f"There is no model {model[:80]!r}; GET /v1/models lists those that answer, whatever name"
        " a call gives."
    )


async def _known(recall: ServiceClient, rank: ServiceClient) -> list[Model]:
    """The models of the services that answer."""
    asked = zip((recall, rank), _KINDS, strict=True)
    answers = await asyncio.gather(*(_model(service, kind) for service, kind in asked))
    return [model for model in answers if model is not None]


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
