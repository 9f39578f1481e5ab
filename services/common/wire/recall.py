"""gateway -> recall: POST /search and POST /encode; GET /model."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.common.collection import NAME_PATTERN
from services.common.documents import FieldValue
from services.common.wire.stages import Stage

MAX_QUERY_CHARS = 2_000
MAX_CANDIDATES = 10_000


class Mode(StrEnum):
    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


class RecallRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARS)
    collection: str = Field(pattern=NAME_PATTERN)
    top_n: int = Field(default=1000, ge=1, le=MAX_CANDIDATES)
    mode: Mode = Mode.HYBRID
    filter: dict[str, Any] | None = None


class Candidate(BaseModel):
    """A document that recall found. Legs that did not find it leave their score None."""

    id: str
    title: str
    text: str
    fields: dict[str, FieldValue]
    dense: float | None = Field(default=None, description="Cosine of query and document, -1 to 1")
    lexical: float | None = Field(default=None, description="BM25, 0 or more")
    score: float = Field(description="Fused; comparable within one answer only")


class RecallResponse(BaseModel):
    candidates: list[Candidate] = Field(description="Best first")
    index: str = Field(description="The physical collection that answered")
    encoder: str = Field(description="Fingerprint of the encoder")
    terms: list[str] = Field(description="The query's words, for highlights")
    stages: list[Stage]
    degraded: list[str] = Field(default_factory=list, description="Legs that did not answer")


class EncodeRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    texts: list[str] = Field(min_length=1, max_length=2048)
    kind: Literal["query", "document"] = "query"


class EncodeResponse(BaseModel):
    dimension: int
    vectors: str = Field(description="Base64 of little-endian float32, texts x dimension")
    tokens: int = Field(description="Tokens read, all texts together")
    encoder: str


class ModelInfo(BaseModel):
    """What a model service serves."""

    name: str
    version: str
    fingerprint: str
    dimension: int | None = None
    max_tokens: int
    precision: str
