"""A search as the links of the chain pass it on, whatever request it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import orjson

from services.common.wire.recall import Mode

FIRST = "*"
"""The cursor of a first page."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The counts, order, groups and pages that a search asks for in addition to its best hits."""

    facets: Sequence[Mapping[str, Any]] = ()
    """Facets, each with the members of a FacetWanted."""
    sort: Sequence[Mapping[str, Any]] = ()
    """Keys of the order, each with the members of a SortKey; none for the order of relevance."""
    group_by: str | None = None
    min_score: float | None = None
    cursor: str | None = None
    """`*` for the first page, else the cursor that the page before named; None for hits without
    pages."""

    @property
    def following(self) -> str | None:
        """The cursor of a page after the first; None for every other search."""
        return None if self.cursor == FIRST else self.cursor

    @property
    def asks_recall(self) -> bool:
        """Whether the arrangement needs the fields of the documents, which recall has."""
        return bool(self.facets or self.sort or self.group_by)

    @property
    def orders(self) -> bool:
        """Whether other documents than the best ones may become hits."""
        return bool(self.sort or self.group_by or self.cursor) or self.min_score is not None


@dataclass(frozen=True, slots=True)
class Wording:
    """Phrases that the texts of hits must hold, and words that they must not hold."""

    phrases: Sequence[str] = ()
    exclude: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """One normalised search; two equal searches have the same answer on the same index."""

    query: str
    """Text of the query; empty for a search that lists what its filter selects."""
    collection: str
    top_k: int
    recall_k: int
    mode: Mode
    filter: Mapping[str, Any] | None
    rank: bool
    diversity: float
    explain: bool
    fields: Sequence[str] | None
    arrangement: Arrangement | None = None
    """Counts, order, groups and pages; None for the best hits only."""
    wording: Wording | None = None
    """Phrases and excluded words; None for a query of plain words, whose answer does not say how it
    was understood."""
    boosts: Sequence[Mapping[str, Any]] = ()
    """Boosts, each with the members of a wire Boost, in an order of their own."""
    partition: str | None = None
    """Partition to search; None searches all."""
    canonical: bytes = field(init=False, repr=False, compare=False)
    """The members above as JSON with sorted keys: equal searches have equal bytes."""

    def __post_init__(self) -> None:
        members = {name: getattr(self, name) for name in _MEMBERS}
        object.__setattr__(self, "canonical", orjson.dumps(members, option=orjson.OPT_SORT_KEYS))

    @property
    def kind(self) -> str:
        """The kind of the search; searches of one kind (mode, ranked or not) take about the same
        time."""
        if not self.query:
            return "list"
        return f"{self.mode}/{'rank' if self.rank else 'recall'}"

    @classmethod
    def from_members(cls, members: Mapping[str, Any]) -> "Search":
        """The search whose canonical bytes hold these members."""
        made: dict[str, Any] = {**members, "mode": Mode(members["mode"])}
        if (arrangement := members.get("arrangement")) is not None:
            made["arrangement"] = Arrangement(**arrangement)
        if (wording := members.get("wording")) is not None:
            made["wording"] = Wording(**wording)
        return cls(**made)


_MEMBERS = tuple(member.name for member in fields(Search) if member.init)
