"""Partitions by a key: loaded by name, searched by name, kept through rebuilds and restarts."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.common.fields.columns import PARTITION, column_name, partition_column
from services.indexer.index.milvus.index import MilvusVectorIndex
from tests.indexer.installation import Installation
from tests.milvus import on_index

NAME = "parted"
KEY = "partition"


@pytest.fixture
def name(indexer: Installation) -> Iterator[str]:
    made = indexer.client.post("/collections", json={"name": NAME, "partition_key": KEY})
    assert made.status_code == 201, made.text
    assert made.json()["partition_key"] == KEY
    assert made.json()["fields"] == {KEY: {"type": "keyword", "weight": 1}}
    assert made.json()["waiting_fields"] == []
    yield NAME
    indexer.client.delete(f"/collections/{NAME}")


def lines(first: int, count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": f"d{n}", "title": f"草原生态{n}", **fields} for n in range(first, first + count)]


def asked(indexer: Installation, path: str, **more: Any) -> Any:
    body = {"collection": NAME, **more}
    return indexer.search.post(path, json=body)


def found(indexer: Installation, partition: str | None) -> set[str]:
    """The ids that a search, a list and an equal filter find."""
    named = {} if partition is None else {"partition": partition}
    filtered = {} if partition is None else {"filter": {KEY: partition}}
    ids = []
    for members in (named, filtered):
        answer = asked(indexer, "/search", query="草原生态", top_n=100, **members)
        assert answer.status_code == 200, answer.text
        ids.append({one["id"] for one in answer.json()["candidates"]})
    listed = asked(indexer, "/list", most=100, **named)
    assert listed.status_code == 200, listed.text
    assert ids[0] == ids[1] == set(listed.json()["ids"])
    return ids[0]


def ids(first: int, count: int) -> set[str]:
    return {f"d{n}" for n in range(first, first + count)}


def key_column(indexer: Installation) -> str | None:
    async def read(index: MilvusVectorIndex) -> str | None:
        physical = await index.resolve(NAME)
        assert physical is not None
        return partition_column(await index.typed(physical))

    return on_index(indexer.milvus.url, read)


def test_a_load_names_its_partition(indexer: Installation, name: str) -> None:
    for partition, first in (("甲", 0), ("乙", 10)):
        job = indexer.submit(name, lines(first, 10), partition=partition)
        assert indexer.ended(job)["counts"]["indexed"] == 10
    path = f"/collections/{name}/documents/d90"
    put = {"title": "草原生态", "fields": {KEY: "乙"}}
    indexer.client.put(path, json=put).raise_for_status()
    assert indexer.client.get(path).json()["fields"] == {KEY: "乙"}
    assert indexer.client.get(path.replace("d90", "d3")).json()["fields"] == {KEY: "甲"}
    assert found(indexer, "甲") == ids(0, 10)
    assert found(indexer, "乙") == ids(10, 10) | {"d90"}
    assert found(indexer, "丙") == set()
    near = asked(indexer, "/similar", id="d90", partition="甲", top_n=50).json()["documents"]
    assert {one["id"] for one in near} == ids(0, 10)

    mixed = [*lines(20, 2), *lines(22, 1, partition="乙"), *lines(23, 1, partition="甲")]
    job = indexer.submit(name, mixed, partition="甲")
    assert indexer.ended(job)["counts"] | {"read": 4} == indexer.ended(job)["counts"]
    [error] = indexer.errors(job)
    assert error["line"] == 3
    assert error["reason"] == "has '乙' as its `partition`, and the job loads the partition '甲'"
    assert found(indexer, "甲") == ids(0, 10) | {"d20", "d21", "d23"}

    # A document goes with its field, and out of every partition with it.
    indexer.client.patch(path, json={KEY: "甲"}).raise_for_status()
    assert "d90" in found(indexer, "甲")
    assert "d90" not in found(indexer, "乙")
    indexer.client.patch(path, json={KEY: None}).raise_for_status()
    assert "d90" not in found(indexer, "甲") | found(indexer, "乙")
    assert "d90" in {
        one["id"]
        for one in asked(indexer, "/search", query="草原生态", top_n=100).json()["candidates"]
    }
    deleted = indexer.client.post(
        f"/collections/{name}/documents:delete", json={"filter": {KEY: "乙"}}
    )
    assert deleted.json()["deleted"] == 10
    assert found(indexer, "乙") == set()


def test_the_key_stays(indexer: Installation, name: str) -> None:
    column = column_name(PARTITION, KEY)
    assert key_column(indexer) == column
    words = {"words": ["草原生态补偿"]}
    assert indexer.client.put(f"/collections/{name}/dictionary", json=words).is_success
    assert key_column(indexer) == column, "an empty collection is made anew"
    indexer.succeeded(indexer.submit(name, lines(0, 5), partition="甲"))
    job = indexer.rebuild(name)
    indexer.succeeded(job)
    assert key_column(indexer) == column
    assert found(indexer, "甲") == ids(0, 5)
    job = indexer.submit(name, lines(0, 3), mode="rebuild", partition="乙")
    indexer.succeeded(job)
    assert (found(indexer, "甲"), found(indexer, "乙")) == (set(), ids(0, 3))
    indexer.client.post(f"/collections/{name}:rollback").raise_for_status()
    assert found(indexer, "甲") == ids(0, 5)
    indexer.restart_with_settings(indexer.api)
    assert indexer.client.get(f"/collections/{name}").json()["partition_key"] == KEY
    exported = indexer.client.get(f"/collections/{name}/export").text.splitlines()
    assert len(exported) == 5
    assert all('"partition":"甲"' in line.replace(" ", "") for line in exported)

    indexer.client.delete(f"/collections/{name}").raise_for_status()
    put = indexer.client.put(f"/collections/{name}/documents/1", json={"title": "草原"})
    assert put.is_success
    assert indexer.client.get(f"/collections/{name}").json()["partition_key"] is None
    assert key_column(indexer) is None


def test_what_has_no_partition_is_refused_in_words(indexer: Installation) -> None:
    indexer.client.put("/collections/whole/documents/1", json={"title": "草原"}).raise_for_status()
    for path, more in (
        ("/search", {"query": "草原"}),
        ("/list", {"most": 1}),
        ("/similar", {"id": "1"}),
    ):
        body = {"collection": "whole", "partition": "甲", **more}
        answer = indexer.search.post(path, json=body)
        assert answer.status_code == 422, answer.text
        assert "no partition key, which is named when it is created" in answer.json()["detail"]
    for collection in ("whole", "never_made"):
        params = {"collection": collection, "format": "jsonl", "partition": "甲"}
        job = indexer.client.post("/index-jobs", params=params, content=b'{"id":"1","title":"x"}')
        assert job.status_code == 422, job.text
        assert f"collection '{collection}' has no partition key" in job.json()["detail"]
    indexer.client.delete("/collections/whole").raise_for_status()


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"partition_key": "n", "fields": {"n": "number"}}, "`n` is declared as number"),
        ({"partition_key": "title"}, "title is no metadata"),
        ({"partition_key": "-x"}, "partition_key"),
        (
            {"partition_key": "k", "fields": {f"f{n}": "number" for n in range(32)}},
            "33 fields would be declared",
        ),
    ],
)
def test_impossible_keys(indexer: Installation, body: dict[str, Any], detail: str) -> None:
    answer = indexer.client.post("/collections", json={"name": "impossible", **body})
    assert answer.status_code == 422, answer.text
    assert detail in answer.text
    assert indexer.client.get("/collections/impossible").status_code == 404
