"""gateway and indexer -> recall: POST /encode; gateway -> recall and rank: GET /model."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EncodeRequest(BaseModel):
    """Asks recall for the vectors of texts."""

    model_config = ConfigDict(extra="forbid")

    texts: list[str] = Field(min_length=1, max_length=2048)
    kind: Literal["query", "document", "rendered"] = Field(
        default="query",
        description="document: a text without a title; rendered: what the manifest made of both",
    )
    encoder: str | None = Field(
        default=None, description="Fingerprint; without it the encoder of new collections"
    )


class EncodeResponse(BaseModel):
    """Vectors as base64 of little-endian float32, row by row."""

    dimension: int
    vectors: str = Field(description="Base64 of little-endian float32, texts x dimension")
    tokens: int = Field(description="Tokens read, all texts together")
    encoder: str


class ModelInfo(BaseModel):
    """The model that a service has loaded."""

    name: str
    version: str
    fingerprint: str
    dimension: int | None = None
    max_tokens: int
    precision: str
