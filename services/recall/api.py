"""Routes of the recall service."""

import base64
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request, Response
from pydantic_core import to_json

from services.common.engine import BatchedEncoder
from services.common.request_context import Deadline, deadline_var
from services.common.wire.recall import (
    EncodeRequest,
    EncodeResponse,
    ModelInfo,
    RecallRequest,
    RecallResponse,
)
from services.recall.domain import Fused
from services.recall.recaller import Recaller
from services.recall.settings import RecallSettings

router = APIRouter(tags=["recall"])


async def _deadline(request: Request) -> Deadline:
    settings = cast(RecallSettings, request.state.settings)
    return deadline_var.get() or Deadline.after(settings.timeout_seconds)


Budget = Annotated[Deadline, Depends(_deadline)]


@router.post("/search", response_model=RecallResponse)
async def search(body: RecallRequest, request: Request, deadline: Budget) -> Response:
    """The best candidates of a query from both legs."""
    recaller: Recaller = request.state.recaller
    recalled = await recaller.search(
        body.query,
        body.collection,
        n=body.top_n,
        mode=body.mode,
        condition=body.filter,
        deadline=deadline,
    )
    # A thousand candidates are written as they are: validating our own answer doubles its time.
    content = to_json(
        {
            "candidates": [_candidate(each) for each in recalled.candidates],
            "index": recalled.index.physical,
            "encoder": recalled.index.encoder,
            "terms": recalled.terms,
            "stages": recalled.stages,
            "degraded": recalled.degraded,
        }
    )
    return Response(content, media_type="application/json")


def _candidate(fused: Fused) -> dict[str, object]:
    document = fused.document
    return {
        "id": document.id,
        "title": document.title,
        "text": document.text,
        "fields": document.fields,
        "dense": fused.dense,
        "lexical": fused.lexical,
        "score": fused.score,
    }


@router.post("/encode")
async def encode(body: EncodeRequest, request: Request, deadline: Budget) -> EncodeResponse:
    """Vectors of queries, or of document texts that the caller has rendered."""
    batched: BatchedEncoder = request.state.encoder
    run = batched.encode_queries if body.kind == "query" else batched.encode
    vectors, tokens = await run(body.texts, deadline)
    return EncodeResponse(
        dimension=vectors.shape[1],
        vectors=base64.b64encode(vectors.astype("<f4").tobytes()).decode(),
        tokens=tokens,
        encoder=batched.encoder.manifest.fingerprint,
    )


@router.get("/model")
async def model(request: Request) -> ModelInfo:
    """Which encoder answers here."""
    batched: BatchedEncoder = request.state.encoder
    manifest = batched.encoder.manifest
    return ModelInfo(
        name=manifest.name,
        version=manifest.version,
        fingerprint=manifest.fingerprint,
        dimension=manifest.dimension,
        max_tokens=manifest.max_tokens,
        precision=batched.encoder.precision,
    )
