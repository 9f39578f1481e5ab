"""Embeddings as OpenAI's clients ask for them; reranking as Jina's and Cohere's do.

A model answers a call within seconds; a client may send minutes of work at once. So the work goes
on in portions, one after the other, and ends when the client has gone.
"""

import base64
from array import array
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from services.common.abandoned import CLIENT_CLOSED
from services.common.errors import InvalidRequest
from services.common.request_context import request_id_var
from services.common.wire.rank import RerankRequest, RerankResponse
from services.common.wire.recall import EncodeRequest, EncodeResponse
from services.gateway.api.state import Rank, Recall
from services.gateway.compatible import (
    EmbeddingsAnswer,
    EmbeddingsRequest,
    RerankAnswer,
    RerankBody,
    portions,
)

router = APIRouter(tags=["compatible"])

_FLOAT_BYTES = 4


@router.post("/v1/embeddings", response_model=EmbeddingsAnswer, summary="Vectors of texts")
async def embeddings(body: EmbeddingsRequest, request: Request, recall: Recall) -> Response:
    vectors: list[str | list[float]] = []
    tokens, encoder = 0, ""
    for texts in portions(body.input):
        if await request.is_disconnected():
            return Response(status_code=CLIENT_CLOSED)
        encoded = await recall.ask(
            "POST", "/encode", EncodeResponse, body=EncodeRequest(texts=texts, kind=body.input_type)
        )
        if body.dimensions not in (None, encoded.dimension):
            raise InvalidRequest(
                f"dimensions: this encoder's vectors have {encoded.dimension} and cannot be"
                " shortened; leave `dimensions` out"
            )
        vectors += _vectors(encoded, body.encoding_format)
        tokens += encoded.tokens
        encoder = encoded.encoder
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return _json({"object": "list", "data": data, "model": encoder, "usage": usage})


def _vectors(encoded: EncodeResponse, encoding: str | None) -> list[str | list[float]]:
    """Each vector as base64 of little-endian float32, or as numbers."""
    raw = base64.b64decode(encoded.vectors)
    size = encoded.dimension * _FLOAT_BYTES
    each = (raw[start : start + size] for start in range(0, len(raw), size))
    if encoding == "base64":
        return [base64.b64encode(vector).decode() for vector in each]
    return [array("f", vector).tolist() for vector in each]


@router.post("/rerank", response_model=RerankAnswer, summary="The same for Milvus's vLLM ranker")
@router.post("/v2/rerank", response_model=RerankAnswer, summary="The same for Cohere's clients")
@router.post("/v1/rerank", response_model=RerankAnswer, summary="Relevance of texts to a query")
async def rerank(body: RerankBody, request: Request, rank: Rank) -> Response:
    scores: list[float] = []
    tokens, ranker = 0, ""
    for texts in portions(body.documents, body.query):
        if await request.is_disconnected():
            return Response(status_code=CLIENT_CLOSED)
        reranked = await rank.ask(
            "POST", "/rerank", RerankResponse, body=RerankRequest(query=body.query, documents=texts)
        )
        scores += reranked.scores
        tokens += reranked.tokens
        ranker = reranked.ranker
    best = sorted(range(len(scores)), key=lambda index: -scores[index])[: body.top_n]
    results: list[dict[str, Any]] = [
        {"index": index, "relevance_score": scores[index]} for index in best
    ]
    if body.return_documents:
        for result in results:
            result["document"] = {"text": body.documents[result["index"]]}
    return _json(
        {
            "id": request_id_var.get(),
            "model": ranker,
            "results": results,
            "usage": {"total_tokens": tokens},
            "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
        }
    )


def _json(answer: dict[str, Any]) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json")
