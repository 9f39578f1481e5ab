"""Contract between gateway and recall: POST /arrange and POST /list, for counts, order and groups
of documents."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.common.collection import NAME_PATTERN
from services.common.fields.names import WHOLE_NAME
from services.common.fields.values import Scalar
from services.common.versions import VERSION_PATTERN
from services.common.wire.facets import MAX_FACETS, Facet, FacetCounts, FacetWanted
from services.common.wire.parameters import PartitionName
from services.common.wire.recall import MAX_CANDIDATES, MAX_PINNED

MAX_LISTED = 10_000
"""Most documents that one listing puts in order and that a walk through its pages reaches."""
MAX_SORT_KEYS = 5


class SortKey(BaseModel):
    """One key of an order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str = Field(
        pattern=WHOLE_NAME,
        description="Name of a field, or `relevance` for the given order of the documents",
    )
    descending: bool = False


class ArrangeOptions(BaseModel):
    """Facets, order and groups that are asked for."""

    model_config = ConfigDict(extra="forbid")

    facets: list[FacetWanted] = Field(default_factory=list, max_length=MAX_FACETS)
    sort: list[SortKey] = Field(default_factory=list, max_length=MAX_SORT_KEYS)
    group_by: str | None = Field(default=None, pattern=WHOLE_NAME)


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
        max_length=2 * MAX_CANDIDATES + MAX_PINNED,
        description="Id and version of each document, best first: the pinned ones and those of both"
        " legs at most",
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


class Group(BaseModel):
    """The value that the members of a group share, and how many they are."""

    value: Scalar | None = Field(
        description="Value of the group; None for a document without the field"
    )
    count: int


class Arranged(FacetCounts):
    """Documents in order, and what was counted over all of them."""

    order: list[int] = Field(
        description="Indexes of the documents in the given rows, in order; with `group_by` only"
        " the first of each group"
    )
    groups: list[Group] | None = Field(
        default=None, description="Group of each document of `order`"
    )
    distinct_groups: int | None = None


class Listed(BaseModel):
    """The documents that a filter selects, in order, and what was counted over them."""

    index: str
    total: int = Field(description="Number of documents that the filter selects")
    ids: list[str] = Field(description="The documents in order, at most as many as were asked for")
    groups: list[Group] | None = None
    distinct_groups: int | None = None
    facets: dict[str, Facet] | None = Field(
        description="None if the fields of the documents could not be read, in a list whose order"
        " does not need them"
    )
