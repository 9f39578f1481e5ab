"""A partition key gives the same answers on every engine; a server divides the rows by it."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymilvus import AsyncMilvusClient

from services.common.collection import PhysicalName, passages_name
from services.common.errors import InvalidFilter
from services.common.fields.columns import NO_TEXT, columns_of, partition_column
from services.common.fields.types import FieldKind, FieldType
from services.common.filters import compile_filter
from services.common.milvus import MilvusAddress, milvus_connection
from services.common.request_context import Deadline
from services.common.text.passages import Span
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.index.milvus.schema import PARTITIONS
from services.indexer.passages import Passages
from services.indexer.rows import Row
from services.recall.milvus.index import MilvusDocumentIndex
from tests.engines.cluster import ClusterSystem
from tests.engines.rows import DIMENSION, row, unit
from tests.milvus import on_connection, on_index
from tests.models import DIMENSION as ENCODED
from tests.servers import Server
from tests.stack import XUNWEN
from xunwen import Client, Document

KEY = "租户"
TENANTS = 20
DOCUMENTS = 400
TYPES = {KEY: FieldType(type=FieldKind.KEYWORD), "year": FieldType(type=FieldKind.NUMBER)}
COLUMNS = columns_of(TYPES, KEY)
FIRST = PhysicalName("divided", "0" * 16, "1", 1)


def tenant(number: int) -> dict[str, Any]:
    """The metadata of a document; every hundredth names no tenant."""
    return {"year": 2000 + number % 30} | (
        {} if number % 100 == 99 else {KEY: f'甲\'s "{number % TENANTS}"'}
    )


def long(identity: str, fields: dict[str, Any]) -> Row:
    """A document of two passages, each nearer to a query than its own row."""
    short = row(identity, 70, fields=fields)
    body = "第一段。第二段。"
    parts = Passages(
        [Span(0, 4, None, ""), Span(4, 8, None, "")],
        ["第一段", "第二段"],
        np.stack([unit(30), unit(31)]),
    )
    return replace(short, document=short.document.model_copy(update={"body": body}), passages=parts)


@pytest.fixture(scope="module")
def physical(engine: Server) -> Iterator[PhysicalName]:
    rows = [row(f"d{n}", n % 40, fields=tenant(n)) for n in range(DOCUMENTS)]
    rows += [long("long1", tenant(1)), long("long2", tenant(2))]

    async def fill(index: MilvusVectorIndex) -> None:
        await index.create(FIRST, DIMENSION, 0, COLUMNS)
        await index.upsert(FIRST, rows, 1)

    on_index(engine.url, fill)
    yield FIRST
    on_index(engine.url, lambda index: index.drop(FIRST))


def matching(engine: Server, expression: str) -> set[str]:
    return set(on_index(engine.url, lambda index: index.matching(FIRST, expression, 1000)))


def expected(wanted: Sequence[int]) -> set[str]:
    found = {f"d{n}" for n in range(DOCUMENTS) if n % TENANTS in wanted and n % 100 != 99}
    return found | {f"long{n}" for n in (1, 2) if n in wanted}


def name(number: int) -> str:
    return str(tenant(number)[KEY])


def test_a_partition_has_the_documents_of_its_key(engine: Server, physical: PhysicalName) -> None:
    for number in (0, 1, 19):
        assert matching(engine, compile_filter(None, COLUMNS, name(number))) == expected([number])
        assert matching(engine, compile_filter({KEY: name(number)}, COLUMNS)) == expected([number])
    assert matching(engine, compile_filter(None, COLUMNS, "nobody")) == set()


@pytest.mark.parametrize(
    ("condition", "partition", "tenants"),
    [
        ({KEY: {"any": [name(3), name(4)]}}, None, [3, 4]),
        ({"or": [{KEY: name(3)}, {KEY: name(5)}]}, None, [3, 5]),
        ({KEY: name(3)}, name(4), []),
        ({"or": [{KEY: name(3)}, {KEY: name(5)}]}, name(5), [5]),
        ({"not": {"or": [{KEY: name(3)}]}}, name(3), []),
        ({"not": {KEY: name(3)}}, name(6), [6]),
    ],
)
def test_filters_beside_a_partition(
    engine: Server,
    physical: PhysicalName,
    condition: dict[str, Any],
    partition: str | None,
    tenants: list[int],
) -> None:
    assert matching(engine, compile_filter(condition, COLUMNS, partition)) == expected(tenants)


def test_the_complement_of_a_tenant(engine: Server, physical: PhysicalName) -> None:
    every = {f"d{n}" for n in range(DOCUMENTS)} | {"long1", "long2"}
    found = matching(engine, compile_filter({KEY: {"ne": name(1)}}, COLUMNS))
    assert found == every - expected([1])
    years = {f"d{n}" for n in range(0, DOCUMENTS, TENANTS) if n % 30 >= 10}
    assert matching(engine, compile_filter({"year": {"gte": 2010}}, COLUMNS, name(0))) == years


async def nearest(url: str, partition: str | None, n: int) -> list[str]:
    async with milvus_connection(MilvusAddress(url)) as connection:
        index, soon = MilvusDocumentIndex(connection, ef=64, nprobe=32), Deadline.after(60)
        known = await index.of_physical(str(FIRST), soon)
        expression = compile_filter(None, known.typed, partition)
        return [one.id for one in await index.nearest(known, unit(30), n, expression, soon)]


async def test_a_search_in_a_partition_finds_its_nearest(
    engine: Server, physical: PhysicalName
) -> None:
    for number in (1, 2, 10):
        found = await nearest(engine.url, name(number), 200)
        assert set(found) == expected([number])
        if number in (1, 2):
            assert found[0] == f"long{number}", "passages are divided as their documents are"
    assert len(await nearest(engine.url, None, DOCUMENTS)) == DOCUMENTS


def test_a_document_moves_to_another_partition(engine: Server, physical: PhysicalName) -> None:
    moved = row("moving", 30, fields=tenant(7))

    async def put(index: MilvusVectorIndex, fields: dict[str, Any], version: int) -> None:
        await index.upsert(FIRST, [row("moving", 30, fields=fields)], version)

    on_index(engine.url, lambda index: index.upsert(FIRST, [moved], 2))
    assert "moving" in matching(engine, compile_filter(None, COLUMNS, name(7)))
    on_index(engine.url, lambda index: put(index, tenant(8), 3))
    assert "moving" not in matching(engine, compile_filter(None, COLUMNS, name(7)))
    assert "moving" in matching(engine, compile_filter(None, COLUMNS, name(8)))
    on_index(engine.url, lambda index: put(index, {}, 4))
    assert matching(engine, 'id == "moving"') == {"moving"}
    on_index(engine.url, lambda index: index.delete(FIRST, ["moving"]))
    assert matching(engine, 'id == "moving"') == set()


def test_a_server_divides_rows_and_passages(
    engine: Server, physical: PhysicalName, embedded: bool
) -> None:
    async def divided(client: AsyncMilvusClient, held: str) -> tuple[bool, int]:
        schema = await client.describe_collection(held)
        keys = [one["name"] for one in schema["fields"] if one.get("is_partition_key")]
        assert keys in ([], [partition_column(COLUMNS)])
        return bool(keys), int(schema["num_partitions"])

    for held in (str(physical), passages_name(physical)):
        found = on_connection(
            engine.url,
            lambda connection, held=held: connection.ask(  # type: ignore[misc]
                "describe", lambda client: divided(client, held), 30.0
            ),
        )
        assert found == ((False, found[1]) if embedded else (True, PARTITIONS))


def test_a_partition_needs_a_key() -> None:
    with pytest.raises(InvalidFilter, match="no partition key"):
        compile_filter(None, columns_of(TYPES), name(1))
    with pytest.raises(InvalidFilter, match="control characters"):
        compile_filter(None, COLUMNS, NO_TEXT)


def xunwen(url: str, *words: str) -> str:
    """What a command prints that succeeds."""
    ran = subprocess.run(
        [XUNWEN, *words],
        env={**os.environ, "XUNWEN_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_load_and_a_search_name_a_partition(system: ClusterSystem, tmp_path: Path) -> None:
    url, collection = system.gateways[0], "divided_load"
    vectors = np.random.default_rng(1).standard_normal((6, ENCODED)).astype(np.float32)
    np.save(tmp_path / "matrix.npy", vectors)
    texts = [{"id": f"d{n}", "title": f"草原生态{n}"} for n in range(6)]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in texts))
    load = ["load", str(tmp_path / "matrix.npy"), "--texts", str(tmp_path / "texts.jsonl")]
    load += ["--encoder", system.encoders[0], "--collection", collection]
    with Client(url) as client:
        assert client.create_collection(collection, partition_key="tenant").count == 0
        assert "6 documents" in xunwen(url, *load, "--partition", "甲")
        client.put(Document(id="x", title="草原", fields={"tenant": "乙"}), collection=collection)
        for partition, there in (("甲", {f"d{n}" for n in range(6)}), ("乙", {"x"}), ("丙", set())):
            options: Any = {"collection": collection, "rank": False, "budget_ms": 30_000}
            found = client.search("草原", mode="dense", partition=partition, **options)
            assert {hit.id for hit in found.hits} == there
            near = client.similar("d0", collection=collection, partition=partition)
            assert {hit.id for hit in near.hits} == there - {"d0"}
            listed = client.search(partition=partition, sort=["tenant"], **options)
            assert {hit.id for hit in listed.hits} == there
            words = ["--collection", collection, "--partition", partition, "--mode", "dense"]
            shown = xunwen(url, "search", "草原", *words, "--no-rank", "--json")
            assert {hit["id"] for hit in json.loads(shown)["hits"]} == there
        client.delete_collection(collection)
