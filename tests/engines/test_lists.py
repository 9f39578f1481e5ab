"""What is listed and counted without a query is what plain Python lists and counts."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from services.common.collection import PhysicalName
from services.common.errors import InvalidRequest
from services.common.fields.values import readable
from services.common.milvus import MilvusAddress
from services.common.request_context import Deadline
from services.common.wire.arrange import (
    ArrangeRequest,
    Listed,
    ListRequest,
    SortKey,
)
from services.common.wire.facets import FacetWanted
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.recall.fields.lists import Lists
from services.recall.milvus.index import milvus_document_index
from tests.engines.chance import NAMES, condition, documents
from tests.engines.reference import holds
from tests.engines.rows import row
from tests.milvus import on_index
from tests.servers import Server

SEED = 3
DOCUMENTS = 150
FILTERS = {"embedded": 60, "standalone": 6}
"""Each question to the standalone engine takes a quarter of a second: its reads are strong."""

Filled = tuple[PhysicalName, dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def filled(engine: Server) -> Iterator[Filled]:
    physical = PhysicalName("lists", "0" * 16, "1", SEED)
    content = {
        f"d{n:03d}'": fields for n, fields in enumerate(documents(random.Random(SEED), DOCUMENTS))
    }

    async def fill(index: MilvusVectorIndex) -> None:
        await index.create(physical, 4, 0)
        await index.upsert(physical, [row(one, fields=content[one]) for one in content], 1)
        await index.point("lists", physical)

    on_index(engine.url, fill)
    yield physical, content
    on_index(engine.url, lambda index: index.drop(physical))


def soon() -> Deadline:
    return Deadline.after(60)


def counted(content: dict[str, dict[str, Any]], ids: list[str], name: str) -> Counter[str]:
    """Documents by the value that they are or hold, as far as it can be shown, told apart by
    kind."""
    found: Counter[str] = Counter()
    for identity in ids:
        value = readable(content[identity]).get(name, [])
        every = value if isinstance(value, list) else [value]
        found.update({_told(one) for one in every})
    return found


def _told(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{isinstance(value, str)} {value!r}"


async def test_a_list_and_its_counts_equal_those_of_python(
    engine: Server, embedded: bool, filled: Filled
) -> None:
    _, content = filled
    chance = random.Random(SEED)
    async with milvus_document_index(MilvusAddress(engine.url), ef=64, nprobe=8) as index:
        lists = Lists(index)
        for _ in range(FILTERS["embedded" if embedded else "standalone"]):
            wanted, name = condition(chance), chance.choice(NAMES)
            listed = await lists.listed(
                ListRequest(
                    collection="lists",
                    filter=wanted,
                    most=10_000,
                    facets=[FacetWanted(field=name, top=1000)],
                ),
                soon(),
            )
            ids = [identity for identity in sorted(content) if holds(wanted, content[identity])]
            assert (listed.ids, listed.total) == (ids, len(ids)), wanted
            assert listed.facets is not None
            facet = listed.facets[name]
            assert facet.other == 0
            values = {_told(one.value): one.count for one in facet.values}
            assert values == counted(content, ids, name), wanted


EDGES = [-2, 0, 1, 15.5, 2015, 2016]
MANY = 10_000


async def test_counts_over_ten_thousand_documents_equal_those_of_python(lite: Server) -> None:
    """Totals, values, ranges and what is missing, for random filters."""
    physical = PhysicalName("many", "0" * 16, "1", SEED)
    chance = random.Random(SEED)
    content = {f"d{n:05d}": fields for n, fields in enumerate(documents(chance, MANY))}

    async def fill(index: MilvusVectorIndex) -> None:
        await index.create(physical, 4, 0)
        ids = list(content)
        for start in range(0, MANY, 1_000):
            rows = [row(one, fields=content[one]) for one in ids[start : start + 1_000]]
            await index.upsert(physical, rows, 1)
        await index.point("many", physical)

    on_index(lite.url, fill)
    async with milvus_document_index(MilvusAddress(lite.url), ef=64, nprobe=8) as index:
        lists = Lists(index)
        for _ in range(20):
            wanted, name, top = condition(chance), chance.choice(NAMES), chance.choice([3, 1000])
            facets = [FacetWanted(field=name, top=top, edges=EDGES)]
            asked = ListRequest(collection="many", filter=wanted, most=MANY, facets=facets)
            listed = await lists.listed(asked, soon())
            ids = [one for one, fields in content.items() if holds(wanted, fields)]
            assert (listed.total, listed.ids) == (len(ids), ids), wanted
            assert listed.facets is not None
            facet, expected = listed.facets[name], counted(content, ids, name)
            values = {_told(one.value): one.count for one in facet.values}
            assert values.items() <= expected.items(), wanted
            assert len(values) == min(top, len(expected))
            assert min(values.values(), default=0) >= max(
                (expected - Counter(values)).values(), default=0
            ), "the most frequent ones are named"
            assert facet.other == sum(expected.values()) - sum(values.values())
            assert facet.distinct == len(expected)
            fields = [readable(content[one]).get(name, []) for one in ids]
            assert facet.missing == sum(value == [] for value in fields)
            numbers = [
                value
                for value in fields
                if isinstance(value, (int, float)) and not isinstance(value, bool)
            ]
            for found in facet.ranges:
                low: Any = float("-inf") if found.gte is None else found.gte
                high: Any = float("inf") if found.lt is None else found.lt
                assert found.count == sum(low <= one < high for one in numbers), found
    on_index(lite.url, lambda index: index.drop(physical))


async def test_pages_of_the_engine_are_joined(
    engine: Server, filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, content = filled
    monkeypatch.setattr("services.common.milvus.pages.MOST_ROWS", 40)
    async with milvus_document_index(MilvusAddress(engine.url), ef=64, nprobe=8) as index:
        listed = await Lists(index).listed(ListRequest(collection="lists", most=7), soon())
        assert (listed.ids, listed.total) == (sorted(content)[:7], len(content))
        few = Lists(index, most_rows=DOCUMENTS - 1)
        with pytest.raises(InvalidRequest, match="too many to be listed"):
            await few.listed(ListRequest(collection="lists", most=7), soon())


async def test_counts_follow_writes_and_deletions(engine: Server, filled: Filled) -> None:
    physical = PhysicalName("moving", "0" * 16, "1", SEED)

    async def create(index: MilvusVectorIndex) -> None:
        await index.create(physical, 4, 0)
        await index.upsert(physical, [row(f"m{n}", fields={"year": n % 3}) for n in range(9)], 1)
        await index.point("moving", physical)

    async def change(index: MilvusVectorIndex) -> None:
        await index.upsert(physical, [row("m0", fields={"year": 7, "stars": 5})], 2)
        await index.delete(physical, ["m1"])

    on_index(engine.url, create)
    async with milvus_document_index(MilvusAddress(engine.url), ef=64, nprobe=8) as index:
        lists = Lists(index)

        async def years() -> tuple[int, dict[Any, int], Listed]:
            listed = await lists.listed(
                ListRequest(
                    collection="moving",
                    most=10,
                    facets=[FacetWanted(field="year")],
                    sort=[SortKey(field="year", descending=True)],
                ),
                soon(),
            )
            assert listed.facets is not None
            values = {one.value: one.count for one in listed.facets["year"].values}
            return listed.total, values, listed

        assert (await years())[:2] == (9, {0: 3, 1: 3, 2: 3})
        with pytest.raises(InvalidRequest, match="a field `stars`; its fields: year"):
            await lists.listed(
                ListRequest(collection="moving", most=1, facets=[FacetWanted(field="stars")]),
                soon(),
            )
        on_index(engine.url, change)
        total, values, listed = await years()
        assert (total, values) == (8, {7: 1, 0: 2, 1: 2, 2: 3})
        assert listed.ids[0] == "m0"
        found = await lists.arrange(
            ArrangeRequest(
                index=str(physical),
                rows=[("gone", 1), ("m2", 1), ("m0", 2), ("m3", 1)],
                facets=[FacetWanted(field="stars")],
                sort=[SortKey(field="year")],
            ),
            soon(),
        )
        assert found.order == [3, 1, 2], "what is not there is left out"
        assert found.facets["stars"].missing == 2
    on_index(engine.url, lambda index: index.drop(physical))
