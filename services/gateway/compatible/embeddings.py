"""`POST /v1/embeddings` in OpenAI's schema."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.common.errors import InvalidRequest
from services.common.server.abandoned import CLIENT_CLOSED
from services.common.wire.encode import EncodeRequest, EncodeResponse
from services.gateway.compatible import openai_json
from services.gateway.compatible.busy import Encoding
from services.gateway.compatible.openai_json import EmbeddingsAnswer
from services.gateway.compatible.texts import checked_text, portions, refused

router = APIRouter(tags=["compatible"])

MAX_INPUTS = 2048

InputType = Literal[
    "query",
    "document",
    "passage",
    "search_query",
    "search_document",
    "classification",
    "clustering",
]
"""Names that OpenAI-like servers, Cohere, Voyage and NVIDIA use for the purpose of a text."""
_QUERIES = frozenset({"query", "search_query"})


def _texts(value: object) -> list[str]:
    """The texts of `input`, one or many.

    Token arrays, which come from clients that count tokens on their side, are refused.
    """
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, (int, list)) for item in items):
        raise refused(
            "token arrays cannot be read, their numbers belong to another model's vocabulary;"
            " send the texts (LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))"
        )
    if not 0 < len(items) <= MAX_INPUTS:
        raise refused(f"{len(items):,} texts are given; 1 to {MAX_INPUTS:,} are possible")
    if not isinstance(value, list):
        return [checked_text(value, "")]
    return [checked_text(item, f"text {index}: ") for index, item in enumerate(items)]


class EmbeddingsRequest(BaseModel):
    """The body of OpenAI's schema; members that this service does not know are ignored."""

    model_config = ConfigDict(extra="ignore")

    input: Annotated[
        list[str],
        BeforeValidator(_texts, json_schema_input_type=str | list[str]),
        Field(description=f"A text, or up to {MAX_INPUTS:,}"),
    ]
    model: str | None = Field(default=None, description="Any name; the service's encoder answers")
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(
        default=None,
        ge=1,
        strict=True,
        description="The encoder's own number of dimensions, or left out",
    )
    input_type: InputType | None = Field(
        default=None,
        description="`query` or `search_query` puts the text into the model's query form; all"
        " others are read as documents",
    )
    user: str | None = None


@router.post("/v1/embeddings", response_model=EmbeddingsAnswer, summary="Vectors of texts")
async def embeddings(body: EmbeddingsRequest, request: Request, calls: Encoding) -> Response:
    """Vectors of length 1, one for each text, in their order."""
    kind: Literal["query", "document"] = "query" if body.input_type in _QUERIES else "document"
    vectors: list[openai_json.Vector] = []
    tokens, encoder = 0, ""
    for texts in portions(body.input):
        if await request.is_disconnected():
            return Response(status_code=CLIENT_CLOSED)
        portion = EncodeRequest(texts=texts, kind=kind)
        encoded = await calls.answer("/encode", EncodeResponse, portion)
        if body.dimensions not in (None, encoded.dimension):
            raise InvalidRequest(
                f"dimensions: this encoder's vectors have {encoded.dimension} and cannot be"
                " shortened; leave `dimensions` out"
            )
        vectors += openai_json.vectors(encoded, body.encoding_format)
        tokens += encoded.tokens
        encoder = encoded.encoder
    content = openai_json.embeddings(vectors, tokens, encoder)
    return Response(content, media_type="application/json")
