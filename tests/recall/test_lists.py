"""Lists and counts over the fields that are kept in memory."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.common.errors import DeadlineExceeded, IndexUnavailable, SearchError
from services.common.request_context import Deadline
from services.common.wire.arrange import ArrangeRequest, ListRequest, SortKey
from services.common.wire.facets import FacetWanted
from services.recall.domain import Index, Key
from services.recall.fields.lists import EVERY, Lists


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


class Watched(str):
    """A text that tells which threads compare it."""

    threads: set[int]

    def __lt__(self, other: str) -> bool:
        self.threads.add(threading.get_ident())
        return super().__lt__(other)


async def test_other_searches_go_on_while_values_are_put_in_order() -> None:
    class Title(Watched):
        threads: set[int] = set()  # noqa: RUF012 - shared by all titles of this test

    lists = Lists(Fields({f"d{at}": {"title": Title(at % 7)} for at in range(20)}))
    wanted = ListRequest(collection="c", sort=[SortKey(field="title")], most=20)
    listed = await lists.listed(wanted, Deadline.after(5))
    assert listed.ids[:4] == ["d0", "d7", "d14", "d1"]
    assert Title.threads
    assert threading.get_ident() not in Title.threads, "the loop waited"


async def test_other_searches_get_their_turns_while_fields_are_taken_up() -> None:
    """Those of a thousand papers with many authors took a quarter of a second, and a collection
    has hundreds of thousands."""
    taken: list[int] = [0]

    class Noted(dict[str, Any]):
        """Metadata that tell when they become a row."""

        def items(self) -> Any:
            taken[-1] += 1
            return super().items()

    async def turns() -> None:
        while True:
            taken.append(0)
            await asyncio.sleep(0)

    lists = Lists(Fields({f"d{at}": Noted(year=2000 + at % 20) for at in range(900)}))
    other = asyncio.create_task(turns())
    assert await counted(lists, *(f"d{at}" for at in range(900))) == {"year": 0}
    other.cancel()
    assert sum(taken) == 900
    assert max(taken) <= 100


async def test_what_was_just_read_is_not_dropped() -> None:
    """It was, if another collection was asked for meanwhile, and the next request read it anew."""
    let_go = asyncio.Event()
    reads: list[str] = []

    class Slow(Fields):
        async def fields(
            self, index: Index, ids: Sequence[str], deadline: Deadline
        ) -> list[tuple[str, int, Mapping[str, Any]]]:
            reads.append(index.physical)
            if index.physical == "slow":
                await let_go.wait()
            return await super().fields(index, ids, deadline)

    async def asked(physical: str, *ids: str) -> None:
        rows = [(one, 1) for one in ids]
        wanted = ArrangeRequest(index=physical, rows=rows, facets=[FacetWanted(field=EVERY)])
        await lists.arrange(wanted, Deadline.after(5))

    lists = Lists(Slow({one: {"year": 2015} for one in "abcde"}), most_rows=4)
    slow = asyncio.create_task(asked("slow", "a", "b", "c"))
    await asyncio.sleep(0)
    await asked("quick", "d", "e")
    let_go.set()
    await slow
    await asked("slow", "a", "b", "c")
    assert reads == ["slow", "quick"]
    await asked("quick", "d", "e")
    assert reads == ["slow", "quick", "quick"], "it made room"


async def test_the_search_for_an_unknown_field_leaves_time_for_the_rest() -> None:
    """Boosts by a field that few documents have took all of the time of a search of a large
    collection, so that it was not ranked."""

    class Large(Fields):
        async def fields(
            self, index: Index, ids: Sequence[str], deadline: Deadline
        ) -> list[tuple[str, int, Mapping[str, Any]]]:
            if len(ids) > 1:
                await asyncio.sleep(deadline.remaining())
                raise DeadlineExceeded
            return await super().fields(index, ids, deadline)

    source = Large({one: {"year": 2015} for one in "abc"})
    deadline = Deadline.after(0.5)
    index = await source.resolve("c", deadline)
    await Lists(source).columns(index, [("a", 1)], ["stars"], deadline)
    assert deadline.remaining() > 0.1


@dataclass
class LateFields(Fields):
    """Its metadata cannot be read in time."""

    error: SearchError = field(default_factory=DeadlineExceeded)

    async def fields(
        self, index: Index, ids: Sequence[str], deadline: Deadline
    ) -> list[tuple[str, int, Mapping[str, Any]]]:
        raise self.error


@pytest.mark.parametrize("error", [DeadlineExceeded(), IndexUnavailable()])
async def test_a_list_that_cannot_be_counted_in_time_is_answered_without_counts(
    error: SearchError,
) -> None:
    """It was refused, and a list of the first hits takes no counts."""
    lists = Lists(LateFields({"a": {}, "b": {}, "c": {}}, error))
    wanted = ListRequest(collection="c", facets=[FacetWanted(field="year")], most=2)
    listed = await lists.listed(wanted, Deadline.after(5))
    assert (listed.ids, listed.total, listed.facets) == (["a", "b"], 3, None)
    for ordered in ({"sort": [SortKey(field="year")]}, {"group_by": "year"}):
        with pytest.raises(type(error)):
            await lists.listed(wanted.model_copy(update=ordered), Deadline.after(5))


async def test_a_list_ends_after_as_many_as_were_asked_for() -> None:
    lists = Lists(Fields({f"d{at}": {"year": 2000 + at // 2} for at in range(10)}))
    wanted = ListRequest(collection="c", group_by="year", most=3)
    listed = await lists.listed(wanted, Deadline.after(5))
    assert (listed.ids, listed.total, listed.distinct_groups) == (["d0", "d2", "d4"], 10, 5)
    assert [(one.value, one.count) for one in listed.groups or []] == [
        (2000, 2),
        (2001, 2),
        (2002, 2),
    ]
    plain = ListRequest(collection="c", sort=[SortKey(field="year", descending=True)], most=2)
    assert (await lists.listed(plain, Deadline.after(5))).ids == ["d8", "d9"]
