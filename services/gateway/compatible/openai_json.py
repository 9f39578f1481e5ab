"""The JSON of OpenAI's API: vectors of texts, and the list of models."""

import base64
from array import array
from collections.abc import Sequence
from typing import Literal

import orjson
from pydantic import BaseModel, Field

from services.common.wire.encode import EncodeResponse

Vector = str | list[float]
"""A vector as base64 of little-endian float32, or as numbers."""
_FLOAT_BYTES = 4

Kind = Literal["encoder", "ranker"]


class Embedding(BaseModel):
    """The vector of one input, as OpenAI's API returns it."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(BaseModel):
    """The number of tokens that the encoder read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    """The vectors of all inputs, in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str = Field(description="Fingerprint of the encoder")
    usage: EmbeddingsUsage


class Model(BaseModel):
    """A model with OpenAI's members and further ones."""

    id: str = Field(description="Its name")
    object: Literal["model"] = "model"
    created: int = Field(default=0, description="Always 0, since model directories hold no date")
    owned_by: Literal["xunwen"] = "xunwen"
    kind: Kind = Field(description="Encoders answer /v1/embeddings, rankers /v1/rerank")
    version: str
    fingerprint: str = Field(description="`model` in the answers of the two routes")
    dimension: int | None = Field(
        default=None, description="Number of dimensions of an encoder's vectors"
    )
    max_tokens: int = Field(description="Most tokens of a text that the model reads")


class Models(BaseModel):
    """The list of models, as OpenAI's API returns it."""

    object: Literal["list"] = "list"
    data: list[Model]


def vectors(encoded: EncodeResponse, encoding: str | None) -> list[Vector]:
    """The vectors of an answer, as base64 if `encoding` says so, else as numbers."""
    raw = base64.b64decode(encoded.vectors)
    size = encoded.dimension * _FLOAT_BYTES
    rows = (raw[start : start + size] for start in range(0, len(raw), size))
    if encoding == "base64":
        return [base64.b64encode(vector).decode() for vector in rows]
    return [array("f", vector).tolist() for vector in rows]


def embeddings(vectors: Sequence[Vector], tokens: int, encoder: str) -> bytes:
    """An EmbeddingsAnswer with the vectors in their order. `encoder` is its fingerprint."""
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return orjson.dumps({"object": "list", "data": data, "model": encoder, "usage": usage})
