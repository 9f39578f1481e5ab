"""Facets: fields whose values are counted over a set of documents, and the counts."""

from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
)

from services.common.fields.names import NAME, RULE
from services.common.fields.values import MAX_INTEGER, MIN_INTEGER, Scalar
from services.common.patterns import explained

MAX_FACETS = 20
MAX_FACET_VALUES = 1_000
MAX_EDGES = 100

Edge = Annotated[StrictInt, Field(ge=MIN_INTEGER, le=MAX_INTEGER)] | StrictFloat | StrictStr
"""A bound of a range. A whole number beyond 64 bits, which no document holds, becomes a decimal."""


def _named(given: object) -> object:
    """Takes the bare name of a field for a facet of that field."""
    return {"field": given} if isinstance(given, str) else given


class FacetWanted(BaseModel):
    """A field whose values are to be counted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str = Field(
        pattern=explained(rf"^({NAME}|\*)$", f"{RULE}; or write * for every field"),
        description="Name of the field; `*` for every field of the documents",
    )
    top: int = Field(
        default=10, ge=0, le=MAX_FACET_VALUES, strict=True, description="Number of values to list"
    )
    edges: list[Edge] = Field(
        default_factory=list,
        max_length=MAX_EDGES,
        description="Rising numbers, or texts such as dates; single values between them are"
        " counted too",
    )


NamedFacet = Annotated[FacetWanted, BeforeValidator(_named)]


class FacetValue(BaseModel):
    """A value of a field and how many of the documents have it."""

    value: Scalar
    count: int


class FacetRange(BaseModel):
    """The number of documents with a single value from `gte` on and below `lt`."""

    gte: Edge | None = None
    lt: Edge | None = None
    count: int


class Facet(BaseModel):
    """The values of one field over a set of documents."""

    values: list[FacetValue] = Field(
        description="Values with their counts, the most frequent first"
    )
    other: int = Field(description="Sum of the counts of the values that are not listed")
    distinct: int = Field(description="Number of different values")
    missing: int = Field(description="Number of documents without a value")
    low: float | int | None = Field(
        default=None, description="The smallest number among the values"
    )
    high: float | int | None = Field(
        default=None, description="The largest number among the values"
    )
    ranges: list[FacetRange] = Field(default_factory=list)


class FacetCounts(BaseModel):
    """The counts over a set of documents."""

    total: int = Field(description="Number of documents that still exist")
    facets: dict[str, Facet]
