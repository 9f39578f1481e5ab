"""Answers of the public search API."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from services.common.documents import FieldValue
from services.common.wire.arrange import Group
from services.common.wire.boosts import Boost
from services.common.wire.facets import Facet
from services.common.wire.passages import Passage, PassagePlace
from services.common.wire.stages import Stage


class NextPassage(Passage):
    """A passage of the hit that matches the query too."""

    highlights: list[str] = Field(description="As those of the hit's text")


class Hit(BaseModel):
    """A document that answers the query."""

    id: str
    score: float = Field(
        description="Score of the last stage that ran, with boosts; 0 to 1 when ranked, 0 without"
        " a query"
    )
    title: str | None = Field(
        default=None, description="The title; absent if `fields` does not name it"
    )
    text: str | None = Field(
        default=None,
        description="The text, or of a long document its best passage; absent if `fields` does not"
        " name it",
    )
    fields: dict[str, FieldValue]
    highlights: dict[str, list[str]] = Field(
        description="Passages of title and text with the query's words in <em>; else plain text,"
        " not escaped for HTML"
    )
    scores: dict[str, float] = Field(
        description="Score per phase of the cascade; `boost` is the factor of the odds by boosts"
    )
    pinned: bool = Field(
        default=False, description="Whether the collection's query rules put this hit first"
    )
    group: Group | None = Field(default=None, description="Group of the hit, with `group_by`")
    passage: PassagePlace | None = Field(
        default=None, description="Of a long document: where `text` stands in its body"
    )
    passages: list[NextPassage] | None = Field(
        default=None, description="Of a long document: the passages that match next"
    )
    passage_count: int | None = Field(
        default=None, description="Of a long document: how many passages it has"
    )


class Understood(BaseModel):
    """The meaning of a query with operators. A search for its members is the same search."""

    query: str | None = Field(
        description="Text of the query; null if it consists of conditions only"
    )
    filter: dict[str, Any] | None
    phrases: list[str]
    exclude: list[str]
    boosts: list[Boost] | None = Field(default=None, description="Absent if there are none")


class SearchAnswer(BaseModel):
    """The hits of a search with their counts and stages."""

    query: str = Field(description="The normalised query; empty if there was none")
    hits: list[Hit] = Field(description="The hits, best first or in the order of `sort`")
    understood: Understood | None = Field(
        default=None, description="Reading of a query with `syntax`, `phrases` or `exclude`"
    )
    total: int = Field(description="Documents that hits, facets and pages are taken from")
    counted: Literal["exact", "recalled", "ranked"] = Field(
        description="exact: all that the filter selects; recalled: the candidates of the query;"
        " ranked: those candidates that ranking scored, of at least `min_score`"
    )
    facets: dict[str, Facet] | None = Field(
        default=None, description="Counts by field, if facets are asked for"
    )
    groups: int | None = Field(default=None, description="Number of groups, with `group_by`")
    next_cursor: str | None = Field(
        default=None, description="The cursor of the next page, if pages are asked for"
    )
    stages: list[Stage] = Field(description="Time and candidates of each stage, when computed")
    degraded: list[str] = Field(
        description="Parts that did not take part: dense, lexical, rank, recall, facets, rules,"
        " boosts"
    )
    index_version: str | None = Field(
        description="Version of the index that answered; null if unknown"
    )
    took_ms: float
    cached: bool
    request_id: str


class BatchItem(BaseModel):
    """The answer of one query of a batch, or the reason why it has none."""

    answer: SearchAnswer | None = None
    error: dict[str, Any] | None = Field(
        default=None, description="Error of the query, with `code` and `detail`"
    )


class BatchAnswer(BaseModel):
    """The answers of a batch."""

    answers: list[BatchItem] = Field(description="Answers in the order of the queries")
    took_ms: float
    request_id: str
