"""Lists and counts over the fields that are kept in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.common.request_context import Deadline
from services.common.wire.arrange import ArrangeRequest
from services.common.wire.facets import FacetWanted
from services.recall.domain import Index, Key
from services.recall.lists import EVERY, Lists


@dataclass
class Fields:
    """A source with the metadata of documents by id, all of version 1."""

    stored: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    async def resolve(self, collection: str, deadline: Deadline) -> Index:
        return Index("p", "e", "1", lexical=True)

    async def keys(self, index: Index, expression: str, most: int, deadline: Deadline) -> list[Key]:
        return [(identity, 1) for identity in self.stored][:most]

    async def fields(
        self, index: Index, ids: Sequence[str], deadline: Deadline
    ) -> list[tuple[str, int, Mapping[str, Any]]]:
        return [(one, 1, self.stored[one]) for one in ids if one in self.stored]


async def counted(lists: Lists, *ids: str) -> dict[str, int]:
    """The documents without a value, by field, of a facet for every field of some documents."""
    wanted = ArrangeRequest(
        index="p", rows=[(one, 1) for one in ids], facets=[FacetWanted(field=EVERY)]
    )
    facets = (await lists.arrange(wanted, Deadline.after(5))).facets
    return {name: one.missing for name, one in facets.items()}


async def test_every_field_means_those_of_the_documents_whatever_was_asked_before() -> None:
    lists = Lists(Fields({"a": {"year": 2015}, "b": {"pages": 7}, "c": {"tags": []}}))
    assert await counted(lists, "a") == {"year": 0}
    assert await counted(lists, "b", "c") == {"pages": 1}
    assert await counted(lists, "a") == {"year": 0}
    assert await counted(lists, "a", "b") == {"pages": 1, "year": 1}
    assert await counted(lists, "absent") == {}
