"""Requests of the public search API: bodies and parameters."""

from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)

from services.common.collection import NAME_PATTERN
from services.common.fields.names import NAME, RULE
from services.common.patterns import NOT_BLANK, explained
from services.common.wire.arrange import MAX_SORT_KEYS
from services.common.wire.boosts import MAX_BOOSTS, Boost
from services.common.wire.facets import MAX_FACETS, NamedFacet
from services.common.wire.parameters import (
    CONDITIONS,
    MAX_FIELDS,
    FieldName,
    FilterParameter,
    ListParameter,
    NamesParameter,
    ObjectsParameter,
    PartitionName,
)
from services.common.wire.rank import MAX_TOP_K
from services.common.wire.recall import MAX_CANDIDATES, MAX_PHRASES, MAX_QUERY_CHARS, Mode, Phrase

DEFAULT_COLLECTION = "literature"
MAX_BATCH = 100
MAX_BUDGET_MS = 60_000


def _whole(given: object) -> object:
    """The whole number that a value such as 10.0 is, since JSON has one kind of number."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


AS_WHOLE = BeforeValidator(_whole)
"""Reads a whole number that is written as 10.0. It stands behind the bounds of an optional number,
since the description of the API would lack those that stand behind it."""
Whole = Annotated[int, AS_WHOLE, Field(strict=True)]

Query = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_QUERY_CHARS, pattern=NOT_BLANK),
    Field(description="Text to search for, in Chinese, English or both"),
]
CURSOR_PATTERN = explained(
    r"^(\*|[A-Za-z0-9_-]{16}\.[0-9]{1,5})$",
    "write `*` for the first page, and for the next one the `next_cursor` of the page before",
)
SortName = Annotated[
    str,
    StringConstraints(
        pattern=explained(rf"^-?{NAME}$", f"{RULE}, unless the - means a falling order")
    ),
]


class SearchOptions(BaseModel):
    """All options of a search, without the query."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    collection: str = Field(default=DEFAULT_COLLECTION, pattern=NAME_PATTERN)
    top_k: Whole = Field(default=10, ge=1, le=MAX_TOP_K, description="Number of hits")
    recall_k: Whole = Field(
        default=1000, ge=1, le=MAX_CANDIDATES, description="Number of candidates to recall"
    )
    mode: Mode = Mode.HYBRID
    filter: dict[str, Any] | None = Field(
        default=None,
        description=CONDITIONS,
        examples=[{"discipline": "数学", "year": {"gte": 2015}}],
    )
    partition: PartitionName | None = Field(
        default=None,
        description="Partition to search: a value of the field that the collection has as its"
        " partition key",
    )
    rank: StrictBool = Field(
        default=True,
        description="Whether hits are ranked; otherwise they keep the order of recall",
    )
    diversity: float = Field(
        default=0.0, ge=0, le=1, strict=True, description="Weight of variety among the hits"
    )
    budget_ms: Annotated[int, Field(strict=True, ge=1, le=MAX_BUDGET_MS), AS_WHOLE] | None = Field(
        default=None, description="Time in ms that the answer may take"
    )
    explain: StrictBool = Field(default=False, description="All features of each hit in `scores`")
    fields: list[FieldName] | None = Field(
        default=None,
        max_length=MAX_FIELDS,
        description="Members of hits besides id and score: `title`, `text`, names of metadata",
    )
    syntax: Literal["plain", "fields"] = Field(
        default="plain",
        description="`fields` allows operators in the query, such as `year:2015..2020`, `-word`"
        ' and `"a phrase"`',
    )
    phrases: list[Phrase] | None = Field(
        default=None,
        max_length=MAX_PHRASES,
        description="Phrases that title or text of each hit must hold as they are written",
    )
    exclude: list[Phrase] | None = Field(
        default=None,
        max_length=MAX_PHRASES,
        description="Phrases that neither title nor text of a hit may hold",
    )
    facets: list[NamedFacet] | None = Field(
        default=None,
        max_length=MAX_FACETS,
        description="Fields whose values are counted over all that was found",
        examples=[["discipline", {"field": "year", "top": 3, "edges": [2000, 2010]}]],
    )
    sort: list[SortName] | None = Field(
        default=None,
        max_length=MAX_SORT_KEYS,
        description="Fields, the first one first, `-` for descending; and `relevance`",
        examples=[["-year", "relevance"]],
    )
    group_by: FieldName | None = Field(
        default=None, description="Answers with the best hit of each value of this field"
    )
    min_score: float | None = Field(
        default=None, ge=0, le=1, strict=True, description="Least score of a hit, 0 to 1"
    )
    boosts: list[Boost] | None = Field(
        default=None,
        max_length=MAX_BOOSTS,
        description="Fields that raise or lower the scores of hits",
        examples=[[{"field": "year", "recency": "5y"}]],
    )
    cursor: str | None = Field(
        default=None,
        pattern=CURSOR_PATTERN,
        description="`*` for the first of many pages, then `next_cursor` of the page before",
    )


class SearchRequest(SearchOptions):
    """A search as the body of a POST. Without a query it lists what the filter selects."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"query": "水稻病害", "top_k": 3}]})

    query: Query | None = None


_NUMBERS: dict[str, type[int] | type[float]] = {
    "top_k": int,
    "recall_k": int,
    "budget_ms": int,
    "diversity": float,
    "min_score": float,
}
_FLAGS = {"true": True, "1": True, "yes": True, "on": True}
_FLAGS |= {"false": False, "0": False, "no": False, "off": False}


class SearchByUrl(SearchOptions):
    """A search as the parameters of a GET: the same options, each written as text."""

    q: Query | None = None
    filter: FilterParameter = Field(
        default=None,
        description=CONDITIONS,
        examples=['{"year": {"gte": 2015}}'],
    )
    fields: NamesParameter = Field(
        default=None,
        max_length=MAX_FIELDS,
        description="Members of hits besides id and score, with commas between the names",
        examples=["title,year"],
    )
    phrases: ListParameter[Phrase] = Field(
        default=None,
        max_length=MAX_PHRASES,
        description="Phrases that title or text of each hit must hold, with commas between them",
    )
    exclude: ListParameter[Phrase] = Field(
        default=None,
        max_length=MAX_PHRASES,
        description="Phrases that neither title nor text of a hit may hold, with commas between"
        " them",
    )
    facets: ListParameter[NamedFacet] = Field(
        default=None,
        max_length=MAX_FACETS,
        description="Fields whose values are counted, with commas between the names",
        examples=["discipline,year"],
    )
    sort: ListParameter[SortName] = Field(
        default=None,
        max_length=MAX_SORT_KEYS,
        description="Fields with commas between them, `-` for descending",
        examples=["-year,relevance"],
    )
    boosts: ObjectsParameter[Boost] = Field(
        default=None,
        max_length=MAX_BOOSTS,
        description="Fields that raise or lower the scores of hits, as a JSON list",
        examples=['[{"field": "year", "recency": "5y"}]'],
    )

    @model_validator(mode="before")
    @classmethod
    def _read_numbers_and_flags(cls, given: Any) -> Any:
        """Reads what the body of a POST has as numbers and booleans; other text stays as it is."""
        read = dict(given)
        for name in ("rank", "explain"):
            if name in read:
                read[name] = _FLAGS.get(str(read[name]).lower(), read[name])
        for name, number in _NUMBERS.items():
            with suppress(KeyError, ValueError):
                read[name] = number(read[name])
        return read


class BatchRequest(SearchOptions):
    """Many queries with the same options."""

    queries: list[Query] = Field(min_length=1, max_length=MAX_BATCH)
