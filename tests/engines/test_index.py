"""The VectorIndex port on every engine: rows, names, reading back."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from services.common.collection import PhysicalName
from services.common.errors import IndexUnavailable
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.originals import FIELD, HAS_ONE
from tests.engines.rows import DIMENSION, row, unit
from tests.milvus import on_connection, on_index
from tests.servers import Server


@contextmanager
def collection(engine: Server) -> Iterator[PhysicalName]:
    name = PhysicalName("contract", "0" * 16, "1", time.time_ns())
    on_index(engine.url, lambda index: index.create(name, DIMENSION, 0))
    yield name
    on_index(engine.url, lambda index: index.drop(name))


@pytest.fixture
def physical(engine: Server) -> Iterator[PhysicalName]:
    """An empty collection, dropped afterwards."""
    with collection(engine) as name:
        yield name


@pytest.fixture(scope="module")
def shared(engine: Server) -> Iterator[PhysicalName]:
    """A collection of several tests: Milvus 2.3.5 needs two seconds for a new one."""
    with collection(engine) as name:
        yield name


def test_the_engine_is_told_apart(engine: Server, embedded: bool) -> None:
    found = on_connection(engine.url, lambda connection: connection.engine())
    assert found.embedded == embedded
    assert found.lexical == embedded


def test_rows_are_replaced_whole_and_deleted(engine: Server, physical: PhysicalName) -> None:
    odd = "q\"\\'%𠮷/"

    async def use(index: MilvusVectorIndex) -> None:
        await index.upsert(physical, [row("a", fields={"x": 1}), row(odd)], 5)
        await index.upsert(physical, [row("a", title="neu"), row("c", 3)], 7)
        assert await index.versions(physical, ["a", odd, "c", "d"]) == {"a": 7, odd: 5, "c": 7}
        [a] = await index.documents(physical, ["a"])
        assert (a.document.title, a.document.fields, a.version) == ("neu", {}, 7)
        np.testing.assert_allclose(a.vector, unit(0), atol=1e-6)
        assert await index.count(physical) == 3
        assert await index.count(physical, 7) == 2
        await index.delete(physical, [odd, "never there"])
        assert await index.versions(physical, ["a", odd, "c"]) == {"a": 7, "c": 7}
        assert await index.count(physical) == 2

    on_index(engine.url, use)


def test_a_server_tells_which_rows_its_vector_index_lacks(
    engine: Server, embedded: bool, physical: PhysicalName
) -> None:
    """It builds the index behind the writes; a rebuild switches when it is done."""

    async def use(index: MilvusVectorIndex) -> None:
        assert await index.unindexed(physical) == 0
        lacking = 0
        for written in range(1, 11):
            await index.upsert(physical, [row(f"d{n}", n) for n in range(2_000)], written)
            await index.flush(physical)
            lacking = await index.unindexed(physical)
            if embedded or lacking:
                break
        # A server may have built the index before it is asked, though hardly ten times.
        assert (lacking > 0) != embedded
        give_up = time.monotonic() + 120
        while await index.unindexed(physical):
            assert time.monotonic() < give_up
            await asyncio.sleep(0.2)
        await index.reload(physical)
        assert await index.count(physical) == 2_000
        assert await index.nearest(physical, [unit(7)], 1) == [["d7"]]

    on_index(engine.url, use)


@pytest.mark.parametrize(
    "odd",
    [
        "it's",
        "x') OR ('1'='1",
        "'; DROP TABLE t; --",
        '"',
        "\\",
        "\\'",
        "a{b}",
        "%",
        "数学𠮷",
        "?",
        "a]b",
    ],
)
def test_an_id_is_an_id_whatever_it_holds(engine: Server, shared: PhysicalName, odd: str) -> None:
    async def use(index: MilvusVectorIndex) -> None:
        await index.upsert(shared, [row(odd), row("other"), row("1")], 1)
        await index.upsert(shared, [row(odd, title="neu")], 2)
        assert await index.versions(shared, [odd, "other"]) == {odd: 2, "other": 1}
        [found] = await index.documents(shared, [odd])
        assert (found.id, found.document.title) == (odd, "neu")
        assert odd in await index.matching(shared, 'id != ""', 10)
        await index.delete(shared, [odd])
        assert {found.id async for found in index.scan(shared)} == {"other", "1"}

    on_index(engine.url, use)


def test_a_scan_gives_every_row_once_in_the_order_of_ids(
    engine: Server, physical: PhysicalName
) -> None:
    ids = [f"{n * 7919 % 2500:04}" for n in range(2500)]

    async def use(index: MilvusVectorIndex) -> list[str]:
        for start in range(0, len(ids), 500):
            await index.upsert(physical, [row(one) for one in ids[start : start + 500]], start + 1)
        return [found.id async for found in index.scan(physical)]

    assert on_index(engine.url, use) == sorted(ids)


def test_the_documents_that_name_an_original_are_selected(
    engine: Server, physical: PhysicalName
) -> None:
    values: dict[str, dict[str, Any]] = {
        "a": {FIELD: 3},
        "b": {},
        "c": {FIELD: "3"},
        "d": {FIELD: 0, "x": 1},
        "e": {"x": 2},
    }

    async def use(index: MilvusVectorIndex) -> None:
        await index.upsert(physical, [row(name, fields=each) for name, each in values.items()], 5)
        found = [one.id async for page in index.pages(physical, HAS_ONE) for one in page]
        assert found == ["a", "d"]

    on_index(engine.url, use)


def test_the_nearest_come_first(engine: Server, physical: PhysicalName) -> None:
    async def use(index: MilvusVectorIndex) -> list[list[str]]:
        await index.upsert(physical, [row(f"n{n}", n) for n in range(40)], 1)
        return await index.nearest(physical, [unit(0), unit(39)], 3)

    assert on_index(engine.url, use) == [["n0", "n1", "n2"], ["n39", "n38", "n37"]]


def test_a_name_means_one_collection_at_a_time(engine: Server, physical: PhysicalName) -> None:
    other = PhysicalName("contract", "0" * 16, "1", physical.generation + 1)

    async def use(index: MilvusVectorIndex) -> None:
        await index.create(other, DIMENSION, 0)
        assert await index.resolve("contract") is None
        for target in (physical, other, physical, physical):
            await index.point("contract", target)
            assert await index.resolve("contract") == target
            assert (await index.names())["contract"] == target
        await index.unpoint("contract")
        assert await index.resolve("contract") is None
        assert "contract" not in await index.names()
        await index.point("contract", other)
        assert await index.resolve("contract") == other
        await index.unpoint("contract")
        await index.drop(other)
        assert other not in await index.physicals()
        assert physical in await index.physicals()

    on_index(engine.url, use)


def test_what_is_not_there_is_unavailable_in_words(engine: Server) -> None:
    nowhere = PhysicalName("nowhere", "0" * 16, "1", 1)

    async def use(index: MilvusVectorIndex) -> None:
        with pytest.raises(IndexUnavailable) as raised:
            await index.count(nowhere)
        assert "nowhere" not in raised.value.detail

    on_index(engine.url, use)
