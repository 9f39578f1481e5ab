"""Bodies of the public search API."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StringConstraints

from services.common.collection import NAME_PATTERN
from services.common.documents import FieldValue
from services.common.wire.rank import MAX_TOP_K
from services.common.wire.recall import MAX_CANDIDATES, MAX_QUERY_CHARS, Mode
from services.common.wire.stages import Stage

DEFAULT_COLLECTION = "literature"
MAX_BATCH = 100
MAX_BUDGET_MS = 60_000


def _whole(given: object) -> object:
    """JSON has one kind of number: 10.0 is a whole one."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


Whole = Annotated[int, BeforeValidator(_whole), Field(strict=True)]

Query = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_QUERY_CHARS, pattern=r"\S"),
    Field(description="What to search for, in Chinese, English or both"),
]
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


class SearchOptions(BaseModel):
    """Everything of a search but its query."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    collection: str = Field(default=DEFAULT_COLLECTION, pattern=NAME_PATTERN)
    top_k: Whole = Field(default=10, ge=1, le=MAX_TOP_K, description="Hits wanted")
    recall_k: Whole = Field(
        default=1000, ge=1, le=MAX_CANDIDATES, description="Candidates to recall"
    )
    mode: Mode = Mode.HYBRID
    filter: dict[str, Any] | None = Field(
        default=None,
        description="Metadata conditions, as in `docs/api.md`",
        examples=[{"discipline": "数学", "year": {"gte": 2015}}],
    )
    rank: StrictBool = Field(default=True, description="False answers in the order of recall")
    diversity: float = Field(
        default=0.0, ge=0, le=1, strict=True, description="Weight of variety among the hits"
    )
    budget_ms: Whole | None = Field(
        default=None, ge=1, le=MAX_BUDGET_MS, description="Time the answer may take"
    )
    explain: StrictBool = Field(default=False, description="All features of each hit in `scores`")
    fields: list[FieldName] | None = Field(
        default=None,
        max_length=64,
        description="What hits carry besides id and score: `title`, `text`, metadata names",
    )


class SearchRequest(SearchOptions):
    query: Query


class BatchRequest(SearchOptions):
    queries: list[Query] = Field(min_length=1, max_length=MAX_BATCH)


class Hit(BaseModel):
    id: str
    score: float = Field(description="Of the last stage that ran; 0 to 1 when ranked")
    title: str | None = Field(default=None, description="Absent when not among `fields`")
    text: str | None = Field(default=None, description="Absent when not among `fields`")
    fields: dict[str, FieldValue]
    highlights: dict[str, list[str]] = Field(
        description="Passages of title and text with the query's words in <em>; else plain text,"
        " not escaped for HTML"
    )
    scores: dict[str, float] = Field(description="Score per phase of the cascade")


class SearchAnswer(BaseModel):
    query: str
    hits: list[Hit] = Field(description="Best first")
    stages: list[Stage] = Field(description="Time and candidates of each stage, when computed")
    degraded: list[str] = Field(description="What did not take part: dense, lexical, rank, recall")
    index_version: str | None = Field(description="Of the index that answered; null if unknown")
    took_ms: float
    cached: bool
    request_id: str


class BatchItem(BaseModel):
    """The answer of one query of a batch, or why it has none."""

    answer: SearchAnswer | None = None
    error: dict[str, Any] | None = Field(default=None, description="`code` and `detail`")


class BatchAnswer(BaseModel):
    answers: list[BatchItem] = Field(description="In the order of the queries")
    took_ms: float
    request_id: str
