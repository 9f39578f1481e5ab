"""The JSON of a reranking, with the members of Jina's, Cohere's and vLLM's APIs."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.common.request_context import request_id_var

Given = str | dict[str, Any]
"""A document as the caller gives it: a text, or an object whose members hold the text."""


class TextDocument(BaseModel):
    """A document as an object; its other members are returned with it."""

    model_config = ConfigDict(extra="allow")

    text: str


class RerankedDocument(BaseModel):
    """A document of the request with its score."""

    index: int = Field(description="Index of the document in the request")
    relevance_score: float = Field(ge=0, le=1)
    document: TextDocument | dict[str, Any] | None = None


class RerankAnswer(BaseModel):
    """The scored documents, with the members of both schemas; each client reads its own."""

    id: str
    model: str = Field(description="Fingerprint of the ranker")
    results: list[RerankedDocument] = Field(description="Results, the most relevant first")
    usage: dict[str, int]
    meta: dict[str, Any]


def reranked(
    best: Sequence[tuple[int, float]], given: Sequence[Given] | None, tokens: int, ranker: str
) -> bytes:
    """A RerankAnswer: indexes in the request with their scores, the most relevant first.

    With `given`, the documents of the request, each result holds its document, whatever JSON that
    is: orjson would fail at numbers beyond 64 bits and at values nested 255 deep.
    """
    results: list[dict[str, Any]] = [
        {"index": index, "relevance_score": score} for index, score in best
    ]
    if given is not None:
        for result in results:
            document = given[result["index"]]
            result["document"] = {"text": document} if isinstance(document, str) else document
    answer = {
        "id": request_id_var.get(),
        "model": ranker,
        "results": results,
        "usage": {"total_tokens": tokens},
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    }
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
