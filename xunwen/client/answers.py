"""What the gateway answers, as far as it is not a contract shared with the services.

Unknown members are kept out of the way, so that an older client reads a newer server.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from pydantic import BaseModel, Field

from services.common.documents import FieldValue
from services.common.wire.stages import Stage


class SearchOptions(TypedDict, total=False):
    """What a search may say besides its query; the server knows the defaults."""

    collection: str
    top_k: int
    recall_k: int
    mode: Literal["hybrid", "dense", "lexical"]
    filter: Mapping[str, Any]
    rank: bool
    diversity: float
    budget_ms: int
    explain: bool
    fields: Sequence[str]


class Hit(BaseModel):
    """A found document."""

    id: str
    score: float
    title: str | None = None
    text: str | None = None
    fields: dict[str, FieldValue] = Field(default_factory=dict)
    highlights: dict[str, list[str]] = Field(default_factory=dict)
    """Passages of title and text, the query's words between <em> and </em>."""
    scores: dict[str, float] = Field(default_factory=dict)


class SearchAnswer(BaseModel):
    """The hits, best first, and how they came about."""

    query: str
    hits: list[Hit]
    stages: list[Stage] = Field(default_factory=list)
    took_ms: float
    cached: bool = False
    degraded: list[str] = Field(default_factory=list)
    index_version: str | None = None
    request_id: str = ""


class BatchItem(BaseModel):
    """The answer of one query of a batch, or why it has none (`code` and `detail`)."""

    answer: SearchAnswer | None = None
    error: dict[str, Any] | None = None


class BatchAnswer(BaseModel):
    answers: list[BatchItem]


class CheckAnswer(BaseModel):
    ok: bool
    detail: str = ""


class Readiness(BaseModel):
    """Whether all is at hand; `checks` says what is not."""

    ready: bool
    checks: dict[str, CheckAnswer]


class RejectedLine(BaseModel):
    """A line of a job's input that was not indexed."""

    line: int
    reason: str
    content: str = ""


class EmbeddingItem(BaseModel):
    index: int
    embedding: list[float]


class Embeddings(BaseModel):
    data: list[EmbeddingItem]


class RerankedDocument(BaseModel):
    """One document of a rerank call: its place in the call and its relevance, 0 to 1."""

    index: int
    relevance_score: float


class Reranked(BaseModel):
    results: list[RerankedDocument]
