"""Answers of the gateway that are not contracts shared with the services.

Unknown members are ignored, so that an older client can read the answers of a newer server.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from pydantic import BaseModel, Field

from services.common.documents import FieldValue
from services.common.wire.arrange import Group
from services.common.wire.boosts import Boost
from services.common.wire.facets import Facet
from services.common.wire.passages import Passage, PassagePlace
from services.common.wire.stages import Stage
from services.common.wire.suggest import Suggested

InputType = Literal["query", "document"]
"""What a text is, so that it is embedded in the form in which the encoder compares it."""


class SearchOptions(TypedDict, total=False):
    """The options of a search besides its query; those left out have the server's defaults."""

    collection: str
    top_k: int
    recall_k: int
    mode: Literal["hybrid", "dense", "lexical"]
    filter: Mapping[str, Any]
    partition: str
    """Partition to search: a value of the collection's partition key."""
    rank: bool
    diversity: float
    budget_ms: int
    explain: bool
    fields: Sequence[str]
    syntax: Literal["plain", "fields"]
    """`fields` allows operators in the query, `plain` does not."""
    phrases: Sequence[str]
    exclude: Sequence[str]
    facets: Sequence[str | Mapping[str, Any]]
    """Fields to count: names, or objects with `field`, `top` and `edges`."""
    sort: Sequence[str]
    """Names of fields, with `-` before them for descending order, or `relevance`."""
    group_by: str
    min_score: float
    boosts: Sequence[Mapping[str, Any]]
    """Fields that raise or lower scores: objects with `field` and `recency`, `halfway` or
    `values`."""
    cursor: str


class NextPassage(Passage):
    """A passage of a hit that matches, too."""

    highlights: list[str] = Field(default_factory=list)


class Hit(BaseModel):
    """A document that was found."""

    id: str
    score: float
    title: str | None = None
    text: str | None = None
    fields: dict[str, FieldValue] = Field(default_factory=dict)
    highlights: dict[str, list[str]] = Field(default_factory=dict)
    """Passages of title and text with the query's words between <em> and </em>."""
    scores: dict[str, float] = Field(default_factory=dict)
    pinned: bool = False
    """Put first for this query by the collection's query rules."""
    group: Group | None = None
    """Value that the hit stands for, and the size of its group, with `group_by`."""
    passage: PassagePlace | None = None
    """The place of `text` in the body of a long document: `text` is its best passage then."""
    passages: list[NextPassage] = Field(default_factory=list)
    """The passages of a long document that match next."""
    passage_count: int | None = None
    """The number of passages of a long document."""


class Understood(BaseModel):
    """The meaning of a query with operators; a search for its members is the same search."""

    query: str | None = None
    filter: dict[str, Any] | None = None
    phrases: list[str] = Field(default_factory=list)
    exclude: list[str] = Field(default_factory=list)
    boosts: list[Boost] = Field(default_factory=list)


class SearchAnswer(BaseModel):
    """The hits, best first or in the order of `sort`, with their counts and stages."""

    query: str
    hits: list[Hit]
    understood: Understood | None = None
    """Reading of a query with `syntax`, `phrases` or `exclude`."""
    total: int | None = None
    """Number of documents that hits, facets and pages are taken from; `counted` names them."""
    counted: str | None = None
    """Name of these documents: `exact`, `recalled` or `ranked`."""
    facets: dict[str, Facet] | None = None
    groups: int | None = None
    next_cursor: str | None = None
    stages: list[Stage] = Field(default_factory=list)
    took_ms: float
    cached: bool = False
    degraded: list[str] = Field(default_factory=list)
    index_version: str | None = None
    request_id: str = ""


class SimilarAnswer(BaseModel):
    """The documents nearest to another one, the nearest first; scores are cosines."""

    id: str
    collection: str
    hits: list[Hit]
    took_ms: float
    request_id: str = ""


class Suggestions(Suggested):
    """Completions of a query that is being typed, the best first."""

    took_ms: float
    request_id: str = ""


class BatchItem(BaseModel):
    """The answer of one query of a batch, or its error with `code` and `detail`."""

    answer: SearchAnswer | None = None
    error: dict[str, Any] | None = None


class BatchAnswer(BaseModel):
    """The answers of a batch, in the order of its queries."""

    answers: list[BatchItem]


class CheckAnswer(BaseModel):
    """The state of one part; `detail` says what is wrong with it."""

    ok: bool
    detail: str = ""


class Readiness(BaseModel):
    """Whether the system can answer searches; `checks` has the state of each part."""

    ready: bool
    checks: dict[str, CheckAnswer]


class RejectedLine(BaseModel):
    """A line of a job's input that was not indexed."""

    line: int
    """Number of the line, from 1 on; 0 for a whole file or the whole input."""
    file: str = ""
    """Name of the file, if several were sent."""
    reason: str
    content: str = ""

    @property
    def place(self) -> str:
        """Place of the line for people: `a.csv, line 3`."""
        line = f"line {self.line}" if self.line else ""
        return ", ".join(part for part in (self.file, line) if part) or "the input"


class EmbeddingItem(BaseModel):
    """The vector of one text, and the index of the text in the call."""

    index: int
    embedding: list[float]


class Embeddings(BaseModel):
    """The vectors of a call, in any order."""

    data: list[EmbeddingItem]


class RerankedDocument(BaseModel):
    """One document of a rerank call: its index in the call and its relevance, 0 to 1."""

    index: int
    relevance_score: float


class Reranked(BaseModel):
    """The documents of a rerank call, the most relevant first."""

    results: list[RerankedDocument]
