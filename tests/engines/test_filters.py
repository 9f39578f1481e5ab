"""Random filters over random documents: each engine gives the ids that plain Python gives."""

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from services.common.collection import PhysicalName
from services.common.filters import compile_filter
from services.indexer.index.milvus import MilvusVectorIndex
from services.indexer.rows import Row
from tests.engines.chance import condition, documents
from tests.engines.reference import holds
from tests.engines.rows import row
from tests.milvus import on_index
from tests.servers import Server

SEED = int(os.environ.get("XUNWEN_TEST_SEED", "1"))
DOCUMENTS = 200
FILTERS = {"embedded": 400, "standalone": 60}
"""Each question to the standalone engine takes a quarter of a second: its reads are strong."""


@pytest.fixture(scope="module")
def filled(engine: Server) -> Iterator[tuple[PhysicalName, dict[str, dict[str, Any]]]]:
    physical = PhysicalName("filters", "0" * 16, "1", SEED)
    content = {
        f"d{n}": fields for n, fields in enumerate(documents(random.Random(SEED), DOCUMENTS))
    }

    async def fill(index: MilvusVectorIndex) -> None:
        await index.create(physical, 4, 0)
        rows: list[Row] = [row(identity, fields=fields) for identity, fields in content.items()]
        await index.upsert(physical, rows, 1)

    on_index(engine.url, fill)
    yield physical, content
    on_index(engine.url, lambda index: index.drop(physical))


def test_each_engine_gives_the_ids_that_python_gives(
    engine: Server, embedded: bool, filled: tuple[PhysicalName, dict[str, dict[str, Any]]]
) -> None:
    physical, content = filled
    chance = random.Random(SEED)
    conditions = [
        condition(chance) for _ in range(FILTERS["embedded" if embedded else "standalone"])
    ]

    async def ask(index: MilvusVectorIndex) -> list[set[str]]:
        return [
            set(await index.matching(physical, compile_filter(one), DOCUMENTS))
            for one in conditions
        ]

    answers = on_index(engine.url, ask)
    for one, ids in zip(conditions, answers, strict=True):
        expected = {identity for identity, fields in content.items() if holds(one, fields)}
        assert ids == expected, one
    assert len({frozenset(ids) for ids in answers}) > len(conditions) // 4


def test_a_negated_range_is_the_complement(
    engine: Server, filled: tuple[PhysicalName, dict[str, dict[str, Any]]]
) -> None:
    physical, content = filled
    positive = {"year": {"gte": 2015}}

    async def ask(index: MilvusVectorIndex) -> tuple[set[str], set[str]]:
        yes = await index.matching(physical, compile_filter(positive), DOCUMENTS)
        no = await index.matching(physical, compile_filter({"not": positive}), DOCUMENTS)
        return set(yes), set(no)

    yes, no = on_index(engine.url, ask)
    assert yes | no == set(content)
    assert not yes & no
    kinds = {type(content[identity].get("year")) for identity in no}
    assert kinds >= {str, list, type(None), bool, int}
