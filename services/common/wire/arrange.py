"""Contract between gateway and recall: POST /arrange and POST /list, for counts, order and groups
of documents."""

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
)

from services.common.collection import NAME_PATTERN
from services.common.field_names import NAME
from services.common.parameters import PartitionName
from services.common.values import Scalar
from services.common.versions import VERSION_PATTERN
from services.common.wire.recall import MAX_CANDIDATES

MAX_LISTED = 10_000
"""Most documents that one listing puts in order and that a walk through its pages reaches."""
MAX_FACETS = 20
MAX_FACET_VALUES = 1_000
MAX_EDGES = 100
MAX_SORT_KEYS = 5

Edge = StrictInt | StrictFloat | StrictStr


def _named(given: object) -> object:
    """Takes the bare name of a field for a facet of that field."""
    return {"field": given} if isinstance(given, str) else given


class FacetWanted(BaseModel):
    """A field whose values are to be counted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str = Field(
        pattern=rf"^({NAME}|\*)$",
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


class SortKey(BaseModel):
    """One key of an order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str = Field(
        pattern=f"^{NAME}$",
        description="Name of a field, or `relevance` for the given order of the documents",
    )
    descending: bool = False


class ArrangeOptions(BaseModel):
    """Facets, order and groups that are asked for."""

    model_config = ConfigDict(extra="forbid")

    facets: list[FacetWanted] = Field(default_factory=list, max_length=MAX_FACETS)
    sort: list[SortKey] = Field(default_factory=list, max_length=MAX_SORT_KEYS)
    group_by: str | None = Field(default=None, pattern=f"^{NAME}$")


class Timed(ArrangeOptions):
    """An arrangement with the state of the index that it must be made on."""

    version: str | None = Field(
        default=None,
        pattern=VERSION_PATTERN,
        description="Index version whose writes must be visible; without it, all writes up to now",
    )


class ArrangeRequest(Timed):
    """Asks about documents that a search found."""

    index: str = Field(description="The physical collection, as a RecallResponse names it")
    rows: list[tuple[str, int]] = Field(
        max_length=2 * MAX_CANDIDATES,
        description="Id and version of each document, best first: of both legs at most",
    )


class ListRequest(Timed):
    """Asks for the documents that a filter selects, if there is no query."""

    collection: str = Field(pattern=NAME_PATTERN)
    filter: dict[str, Any] | None = None
    partition: PartitionName | None = None
    most: int = Field(ge=1, le=MAX_LISTED, description="Number of documents to name")


class FieldsRequest(BaseModel):
    """Asks for the names of the fields of a collection."""

    model_config = ConfigDict(extra="forbid")

    collection: str = Field(pattern=NAME_PATTERN)


class FieldsResponse(BaseModel):
    """The names of the fields of a collection."""

    fields: list[str] = Field(
        description="Names of the fields of the first documents and of all documents that were"
        " counted, sorted"
    )


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


class Group(BaseModel):
    """The value that the members of a group share, and how many they are."""

    value: Scalar | None = Field(
        description="Value of the group; None for a document without the field"
    )
    count: int


class Arranged(BaseModel):
    """Documents in order, and what was counted over all of them."""

    total: int = Field(description="Number of documents that still exist")
    order: list[int] = Field(
        description="Indexes of the documents in the given rows, in order; with `group_by` only"
        " the first of each group"
    )
    groups: list[Group] | None = Field(
        default=None, description="Group of each document of `order`"
    )
    distinct_groups: int | None = None
    facets: dict[str, Facet]


class Listed(BaseModel):
    """The documents that a filter selects, in order, and what was counted over them."""

    index: str
    total: int = Field(description="Number of documents that the filter selects")
    ids: list[str] = Field(description="The documents in order, at most as many as were asked for")
    groups: list[Group] | None = None
    distinct_groups: int | None = None
    facets: dict[str, Facet]
