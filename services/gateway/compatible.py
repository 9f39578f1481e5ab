"""Bodies of the endpoints that clients of other services know: embeddings and reranking."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from services.common.wire.recall import MAX_QUERY_CHARS

Text = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]


class EmbeddingsRequest(BaseModel):
    """OpenAI's schema; members we have no use for are ignored as their servers do."""

    model_config = ConfigDict(extra="ignore")

    input: Text | Annotated[list[Text], Field(min_length=1, max_length=2048)]
    model: str = Field(default="", description="Any name; the collection's encoder answers")
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1, strict=True)
    input_type: Literal["query", "document"] = Field(
        default="document", description="`query` puts the text into the model's query form"
    )
    user: str | None = None


class Embedding(BaseModel):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage


class TextDocument(BaseModel):
    """Jina also takes documents as objects."""

    model_config = ConfigDict(extra="ignore")

    text: Text


class RerankBody(BaseModel):
    """What Jina's and Cohere's clients send."""

    model_config = ConfigDict(extra="ignore")

    query: Annotated[
        str, StringConstraints(min_length=1, max_length=MAX_QUERY_CHARS, pattern=r"\S")
    ]
    documents: list[Text | TextDocument] = Field(min_length=1, max_length=1000)
    model: str = Field(default="", description="Any name; our ranker answers")
    top_n: int | None = Field(default=None, ge=1, strict=True)
    return_documents: StrictBool = False


class RerankedDocument(BaseModel):
    index: int = Field(description="Place in the request")
    relevance_score: float = Field(ge=0, le=1)
    document: TextDocument | None = None


class RerankAnswer(BaseModel):
    """Members of both schemas together: each client reads its own."""

    id: str
    model: str
    results: list[RerankedDocument] = Field(description="Most relevant first")
    usage: dict[str, int]
    meta: dict[str, Any]
