"""`POST /v1/rerank`, `/v2/rerank` and `/rerank` in the schemas of Jina, Cohere and vLLM."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictBool,
    StringConstraints,
    model_validator,
)

from services.common.patterns import NOT_BLANK
from services.common.server.abandoned import CLIENT_CLOSED
from services.common.wire.rank import RerankRequest, RerankResponse
from services.common.wire.recall import MAX_QUERY_CHARS
from services.gateway.compatible import rerank_json
from services.gateway.compatible.busy import Reranking
from services.gateway.compatible.rerank_json import Given, RerankAnswer, TextDocument
from services.gateway.compatible.texts import checked_text, portions, refused

router = APIRouter(tags=["compatible"])

MAX_DOCUMENTS = 1000
MAX_RANK_FIELDS = 64


def _documents(value: object) -> list[Given]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_DOCUMENTS:
        raise refused(f"a list of 1 to {MAX_DOCUMENTS:,} documents is needed")
    return value


def _read(document: object, index: int, fields: list[str] | None) -> str:
    """The part of a document that the ranker reads."""
    if isinstance(document, dict) and fields is not None:
        given = [(name, document[name]) for name in fields if document.get(name) is not None]
        lines = [_line(value, index, name) for name, value in given]
        if not lines:
            raise refused(f"document {index}: it has none of the `rank_fields`")
        return checked_text("\n".join(lines), f"document {index}, its `rank_fields`: ")
    text = document.get("text") if isinstance(document, dict) else document
    return checked_text(text, f"document {index}, itself or in its `text`: ")


def _line(value: object, index: int, name: str) -> str:
    values = value if isinstance(value, list) else [value]
    if all(isinstance(item, (str, int, float)) for item in values):
        return " ".join(str(item) for item in values)
    raise refused(
        f"document {index}, `{name[:80]}`: a string, a number or a list of these is needed"
    )


class RerankBody(BaseModel):
    """The body that the clients of Jina and Cohere send; unknown members are ignored."""

    model_config = ConfigDict(extra="ignore")

    query: Annotated[
        str, StringConstraints(min_length=1, max_length=MAX_QUERY_CHARS, pattern=NOT_BLANK)
    ]
    documents: Annotated[
        list[Given],
        BeforeValidator(_documents, json_schema_input_type=list[str | TextDocument]),
        Field(description=f"1 to {MAX_DOCUMENTS:,} texts, or objects with `text`"),
    ]
    model: str | None = Field(default=None, description="Any name; the service's ranker answers")
    top_n: int | None = Field(
        default=None, ge=1, strict=True, description="Number of results; all, if left out"
    )
    rank_fields: Annotated[list[str], Field(min_length=1, max_length=MAX_RANK_FIELDS)] | None = (
        Field(
            default=None,
            description="Members of the objects in `documents` that are read, in this order,"
            " instead of `text`",
        )
    )
    return_documents: StrictBool | None = Field(
        default=None, description="Whether each result holds its document as it was given"
    )
    _texts: list[str] = PrivateAttr(default_factory=list)

    @model_validator(mode="after")
    def _readable(self) -> "RerankBody":
        self._texts = [
            _read(document, index, self.rank_fields)
            for index, document in enumerate(self.documents)
        ]
        return self

    @property
    def texts(self) -> list[str]:
        """The text of each document that the ranker reads."""
        return self._texts


@router.post(
    "/rerank",
    response_model=RerankAnswer,
    summary="Relevance of texts to a query, for Milvus's vLLM ranker",
)
@router.post(
    "/v2/rerank",
    response_model=RerankAnswer,
    summary="Relevance of texts to a query, for Cohere's clients",
)
@router.post("/v1/rerank", response_model=RerankAnswer, summary="Relevance of texts to a query")
async def rerank(body: RerankBody, request: Request, calls: Reranking) -> Response:
    """Orders the documents by their relevance to the query, the most relevant first."""
    scores: list[float] = []
    tokens, ranker = 0, ""
    for texts in portions(body.texts, body.query):
        if await request.is_disconnected():
            return Response(status_code=CLIENT_CLOSED)
        portion = RerankRequest(query=body.query, documents=texts)
        reranked = await calls.answer("/rerank", RerankResponse, portion)
        scores += reranked.scores
        tokens += reranked.tokens
        ranker = reranked.ranker
    best = sorted(range(len(scores)), key=lambda index: -scores[index])[: body.top_n]
    given = body.documents if body.return_documents else None
    content = rerank_json.reranked([(at, scores[at]) for at in best], given, tokens, ranker)
    return Response(content, media_type="application/json")
