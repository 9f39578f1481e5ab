"""Embeddings as OpenAI's clients ask for them; reranking as Jina's and Cohere's do."""

import base64
from array import array
from typing import Any

import orjson
from fastapi import APIRouter, Response

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
    TextDocument,
)

router = APIRouter(tags=["compatible"])

_FLOAT_BYTES = 4


@router.post("/v1/embeddings", response_model=EmbeddingsAnswer, summary="Vectors of texts")
async def embeddings(body: EmbeddingsRequest, recall: Recall) -> Response:
    texts = [body.input] if isinstance(body.input, str) else body.input
    encoded = await recall.ask(
        "POST", "/encode", EncodeResponse, body=EncodeRequest(texts=texts, kind=body.input_type)
    )
    if body.dimensions not in (None, encoded.dimension):
        raise InvalidRequest(
            f"dimensions: this encoder's vectors have {encoded.dimension} and cannot be shortened"
        )
    raw = base64.b64decode(encoded.vectors)
    size = encoded.dimension * _FLOAT_BYTES
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _vector(raw[index * size : (index + 1) * size], body.encoding_format),
        }
        for index in range(len(texts))
    ]
    usage = {"prompt_tokens": encoded.tokens, "total_tokens": encoded.tokens}
    answer = {"object": "list", "data": data, "model": encoded.encoder, "usage": usage}
    return Response(orjson.dumps(answer), media_type="application/json")


def _vector(raw: bytes, encoding: str) -> str | list[float]:
    """Little-endian float32 as base64 or as numbers."""
    if encoding == "base64":
        return base64.b64encode(raw).decode()
    return array("f", raw).tolist()


@router.post("/v2/rerank", response_model=RerankAnswer, summary="Relevance, as Cohere's clients")
@router.post("/v1/rerank", response_model=RerankAnswer, summary="Relevance of texts to a query")
async def rerank(body: RerankBody, rank: Rank) -> Response:
    texts = [item.text if isinstance(item, TextDocument) else item for item in body.documents]
    reranked = await rank.ask(
        "POST", "/rerank", RerankResponse, body=RerankRequest(query=body.query, documents=texts)
    )
    scores = reranked.scores
    best = sorted(range(len(texts)), key=lambda index: -scores[index])[: body.top_n]
    answer: dict[str, Any] = {
        "id": request_id_var.get(),
        "model": reranked.ranker,
        "results": [_result(index, scores, texts, body.return_documents) for index in best],
        "usage": {"total_tokens": reranked.tokens},
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    }
    return Response(orjson.dumps(answer), media_type="application/json")


def _result(
    index: int, scores: list[float], texts: list[str], with_document: bool
) -> dict[str, Any]:
    result: dict[str, Any] = {"index": index, "relevance_score": scores[index]}
    return result | {"document": {"text": texts[index]}} if with_document else result
