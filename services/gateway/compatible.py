"""Bodies of the endpoints that clients of other services know: embeddings and reranking."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StringConstraints
from pydantic_core import PydanticCustomError

from services.common.wire.recall import MAX_QUERY_CHARS

MAX_INPUTS = 2048
MAX_DOCUMENTS = 1000
_MAX_CHARS = 100_000
_PORTION_CHARS = 8_000
"""About a second of work on two cores."""
_READ_CHARS = 600
"""Of a text, at most; the models read no more."""


def portions(texts: Sequence[str], query: str = "") -> Iterator[list[str]]:
    """The texts in lists that a model answers well within the budget of one call.

    `query` is read again with each text. Each portion holds at least one text.
    """
    portion: list[str] = []
    chars = 0
    for text in texts:
        size = min(len(query) + len(text), _READ_CHARS)
        if portion and chars + size > _PORTION_CHARS:
            yield portion
            portion, chars = [], 0
        portion.append(text)
        chars += size
    if portion:
        yield portion


def _refused(reason: str) -> PydanticCustomError:
    return PydanticCustomError("compatible", reason)


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise _refused(f"{place}a string is needed")
    if not value:
        raise _refused(f"{place}the text is empty; leave it out")
    if len(value) > _MAX_CHARS:
        raise _refused(f"{place}the text has {len(value):,} characters, at most {_MAX_CHARS:,}")
    return value


def _texts(value: object) -> list[str]:
    """One text or many. Token arrays come from clients that count tokens on their side."""
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, (int, list)) for item in items):
        raise _refused(
            "token arrays cannot be read, their numbers belong to another model's vocabulary;"
            " send the texts (LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))"
        )
    if not 0 < len(items) <= MAX_INPUTS:
        raise _refused(f"{len(items):,} texts are given; 1 to {MAX_INPUTS:,} are possible")
    if not isinstance(value, list):
        return [_text(value, "")]
    return [_text(item, f"text {index}: ") for index, item in enumerate(items)]


def _documents(value: object) -> list[str]:
    """Texts, or objects that hold one in `text`."""
    if not isinstance(value, list) or not 0 < len(value) <= MAX_DOCUMENTS:
        raise _refused(f"a list of 1 to {MAX_DOCUMENTS:,} documents is needed")
    texts = [item.get("text") if isinstance(item, dict) else item for item in value]
    return [
        _text(text, f"document {index}, itself or in its `text`: ")
        for index, text in enumerate(texts)
    ]


class EmbeddingsRequest(BaseModel):
    """OpenAI's schema; members we have no use for are ignored as their servers do."""

    model_config = ConfigDict(extra="ignore")

    input: Annotated[
        list[str],
        BeforeValidator(_texts, json_schema_input_type=str | list[str]),
        Field(description=f"A text, or up to {MAX_INPUTS:,}"),
    ]
    model: str | None = Field(default=None, description="Any name; the service's encoder answers")
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(
        default=None, ge=1, strict=True, description="The encoder's own, or left out"
    )
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
    text: str


class RerankBody(BaseModel):
    """What Jina's and Cohere's clients send."""

    model_config = ConfigDict(extra="ignore")

    query: Annotated[
        str, StringConstraints(min_length=1, max_length=MAX_QUERY_CHARS, pattern=r"\S")
    ]
    documents: Annotated[
        list[str],
        BeforeValidator(_documents, json_schema_input_type=list[str | TextDocument]),
        Field(description=f"1 to {MAX_DOCUMENTS:,} texts, or objects with `text`"),
    ]
    model: str | None = Field(default=None, description="Any name; the service's ranker answers")
    top_n: int | None = Field(default=None, ge=1, strict=True, description="All, if left out")
    return_documents: StrictBool | None = None


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
