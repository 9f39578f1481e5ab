"""Random filters over random documents: each engine gives the ids that plain Python gives."""

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from services.common.collection import PhysicalName
from services.common.fields.columns import columns_of
from services.common.fields.types import FieldKind, FieldType, typed
from services.common.filters import compile_filter
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.rows import Row
from tests.engines.chance import NAMES, condition, documents
from tests.engines.reference import holds
from tests.engines.rows import row
from tests.milvus import on_index
from tests.servers import Server

SEED = int(os.environ.get("XUNWEN_TEST_SEED", "1"))
DOCUMENTS = 200
FILTERS = {"embedded": 400, "standalone": 60}
"""Each question to the standalone engine takes a quarter of a second: its reads are strong."""


TYPES = {NAMES[0]: FieldType(type=FieldKind.NUMBER), NAMES[1]: FieldType(type=FieldKind.KEYWORD)}
Filled = tuple[PhysicalName, dict[str, dict[str, Any]], list[str]]
"""A collection, the metadata of its documents, and its typed columns."""


@pytest.fixture(scope="module", params=["undeclared", "declared"])
def filled(engine: Server, request: pytest.FixtureRequest) -> Iterator[Filled]:
    declared = request.param == "declared"
    physical = PhysicalName("filters", "0" * 16, "1", 2 * SEED + declared)
    columns = columns_of(TYPES) if declared else []
    chance, content = random.Random(SEED), {}
    for n, fields in enumerate(documents(chance, 2 * DOCUMENTS if declared else DOCUMENTS)):
        if declared:
            fields = {name: one for name, one in fields.items() if fits(name, one)}
        content[f"d{n}"] = fields

    async def fill(index: MilvusVectorIndex) -> None:
        await index.create(physical, 4, 0, columns)
        rows: list[Row] = [row(identity, fields=fields) for identity, fields in content.items()]
        await index.upsert(physical, rows, 1)

    on_index(engine.url, fill)
    yield physical, content, columns
    on_index(engine.url, lambda index: index.drop(physical))


def fits(name: str, value: Any) -> bool:
    """Whether a value is one that the declared type of its field keeps as it is."""
    try:
        return typed({name: value}, TYPES) == {name: value}
    except ValueError:
        return False


def test_each_engine_gives_the_ids_that_python_gives(
    engine: Server, embedded: bool, filled: Filled
) -> None:
    physical, content, columns = filled
    chance = random.Random(SEED)
    conditions = [
        condition(chance) for _ in range(FILTERS["embedded" if embedded else "standalone"])
    ]

    async def ask(index: MilvusVectorIndex) -> list[set[str]]:
        return [
            set(await index.matching(physical, compile_filter(one, columns), len(content)))
            for one in conditions
        ]

    answers = on_index(engine.url, ask)
    for one, ids in zip(conditions, answers, strict=True):
        expected = {identity for identity, fields in content.items() if holds(one, fields)}
        assert ids == expected, one
    assert len({frozenset(ids) for ids in answers}) > len(conditions) // 4


def test_a_negated_range_is_the_complement(engine: Server, filled: Filled) -> None:
    physical, content, columns = filled
    positive = {"year": {"gte": 2015}}

    async def ask(index: MilvusVectorIndex) -> tuple[set[str], set[str]]:
        negative = {"not": positive}
        yes = await index.matching(physical, compile_filter(positive, columns), len(content))
        no = await index.matching(physical, compile_filter(negative, columns), len(content))
        return set(yes), set(no)

    yes, no = on_index(engine.url, ask)
    assert yes | no == set(content)
    assert not yes & no
    kinds = {type(content[identity].get("year")) for identity in no}
    assert kinds >= ({type(None), int} if columns else {str, list, type(None), bool, int})
