"""Declared types of fields: checked on every way in, kept through rebuilds, compared by filters."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.common.fields.columns import columns_of
from services.common.fields.types import FieldKind, FieldType
from services.indexer.index.milvus.index import MilvusVectorIndex
from tests.indexer.installation import Installation
from tests.milvus import on_index

NAME = "typed"
YEAR = {"year": {"type": "number", "weight": 1}}


@pytest.fixture
def name(indexer: Installation) -> Iterator[str]:
    yield NAME
    indexer.client.delete(f"/collections/{NAME}")


def put(indexer: Installation, identity: str, **fields: Any) -> Any:
    body = {"title": "草原生态补偿", "fields": fields}
    return indexer.client.put(f"/collections/{NAME}/documents/{identity}", json=body)


def described(indexer: Installation) -> dict[str, Any]:
    answer = indexer.client.get(f"/collections/{NAME}")
    answer.raise_for_status()
    return dict(answer.json())


def columns(indexer: Installation) -> frozenset[str]:
    async def read(index: MilvusVectorIndex) -> frozenset[str]:
        physical = await index.resolve(NAME)
        assert physical is not None
        return await index.typed(physical)

    return on_index(indexer.milvus.url, read)


def matching(indexer: Installation, condition: dict[str, Any], **more: Any) -> list[str]:
    body = {"query": "草原", "collection": NAME, "top_n": 10, "filter": condition, **more}
    answer = indexer.search.post("/search", json=body)
    assert answer.status_code == 200, answer.text
    listed = indexer.search.post(
        "/list", json={"collection": NAME, "filter": condition, "most": 10}
    ).json()["ids"]
    assert sorted(hit["id"] for hit in answer.json()["candidates"]) == listed
    return list(listed)


def test_types_of_a_new_collection(indexer: Installation, name: str) -> None:
    body = {"name": name, "fields": {"year": "number", "发表": "date", "tags": "keywords"}}
    made = indexer.client.post("/collections", json=body)
    assert made.status_code == 201, made.text
    assert made.json()["fields"]["year"] == YEAR["year"]
    assert made.json()["waiting_fields"] == []
    assert len(columns(indexer)) == 2, "a list of keywords has no column"

    refused = put(indexer, "1", year="unknown")
    assert refused.status_code == 422
    assert refused.json()["detail"] == (
        "fields: `year` is declared as number, and 'unknown' is not one number; send a number, or"
        " leave the field out."
    )
    put(indexer, "1", year="2020", 发表="2020年3月", tags="草原").raise_for_status()
    put(indexer, "2", year=2021.5, other=[1]).raise_for_status()
    changed = indexer.client.patch(f"/collections/{name}/documents/2", json={"year": []})
    assert changed.status_code == 422
    stored = indexer.client.get(f"/collections/{name}/documents/1").json()["fields"]
    assert stored == {"year": 2020, "发表": "2020-03", "tags": "草原"}

    lines: list[dict[str, Any]] = [
        {"id": "3", "title": "草原", "year": 1999},
        {"id": "4", "title": "草原", "年": "x"},
    ]
    lines += [{"id": f"b{n}", "title": "草原", "发表": f"{n}.13.2020"} for n in (1, 2)]
    job = indexer.submit(name, lines)
    assert indexer.ended(job)["counts"]["indexed"] == 2
    reasons = [error["reason"] for error in indexer.errors(job)]
    assert [error["line"] for error in indexer.errors(job)] == [3, 4]
    assert all("`发表` is declared as date, and" in reason for reason in reasons), reasons
    assert "2 times, first on line 3" in indexer.ended(job)["message"]

    assert matching(indexer, {"year": {"gte": 2020}}) == ["1", "2"]
    assert matching(indexer, {"year": 2020}) == ["1"]
    assert matching(indexer, {"year": {"ne": 2020}}) == ["2", "3", "4"]
    assert matching(indexer, {"not": {"year": {"lt": 2020}}}) == ["1", "2", "4"]
    assert matching(indexer, {"发表": {"gte": "2020", "lt": "2021"}}) == ["1"]
    assert matching(indexer, {"or": [{"tags": "草原"}, {"other": 1}]}) == ["1", "2"]


def test_types_that_are_declared_later(indexer: Installation, name: str) -> None:
    put(indexer, "1", year=2020, note="草原").raise_for_status()
    put(indexer, "2", year="soon").raise_for_status()
    path = f"/collections/{name}/fields"
    declared = indexer.client.put(path, json={"fields": {"year": "number"}})
    assert declared.status_code == 200, declared.text
    assert declared.json()["fields"] == YEAR
    assert declared.json()["waiting_fields"] == ["year"]
    assert put(indexer, "3", year="never").status_code == 422
    assert matching(indexer, {"year": {"gte": 2000}}) == ["1"]

    refused = indexer.client.put(path, json={"fields": {"year": "keyword"}})
    assert refused.status_code == 409
    assert "declared as number already" in refused.json()["detail"]
    job = indexer.rebuild(name)
    ended = indexer.ended(job)
    assert ended["state"] == "failed"
    assert "`year` is declared as number, and 'soon' is not one number" in ended["message"]
    assert described(indexer)["count"] == 2, "the present index stays"

    put(indexer, "2", year=2001).raise_for_status()
    weighed = {"fields": {"note": {"type": "text", "weight": 3}}}
    assert indexer.client.put(path, json=weighed).json()["fields"] == YEAR | weighed["fields"]
    indexer.restart_with_settings(indexer.api)
    job = indexer.rebuild(name)
    indexer.succeeded(job)
    assert described(indexer)["waiting_fields"] == []
    assert columns(indexer) == set(columns_of({"year": FieldType(type=FieldKind.NUMBER)}))
    assert matching(indexer, {"year": {"gte": 2001}}) == ["1", "2"]
    indexer.client.post(f"/collections/{name}:rollback").raise_for_status()
    assert described(indexer)["waiting_fields"] == ["year"]
    assert matching(indexer, {"year": {"gte": 2001}}) == ["1", "2"]

    indexer.client.delete(f"/collections/{name}").raise_for_status()
    put(indexer, "1", year="any").raise_for_status()
    assert described(indexer)["fields"] == {}


def test_weights_of_members_decide_what_is_found_first(indexer: Installation, name: str) -> None:
    """By the real engine: a word in the title wins over two in the text only if its weight says
    so, and what has no weight is not found."""
    long = "多年的观测。" * 200
    documents: list[dict[str, Any]] = [
        {"id": "title", "title": "冻土路基", "text": "青藏铁路的长期变形与监测"},
        {"id": "text", "title": "青藏铁路", "text": "冻土的长期变形与冻土的监测"},
        {"id": "keyword", "title": "路基", "text": "监测", "fields": {"keywords": ["石墨烯"]}},
        {"id": "body", "title": "公路", "body": f"先说鲲鹏。{long}再说鲲鹏。"},
    ]
    indexer.succeeded(indexer.submit(name, documents))
    assert indexer.found(name, "冻土", "lexical") == ["text", "title"]
    assert indexer.found(name, "石墨烯", "lexical") == ["keyword"]
    assert indexer.found(name, "鲲鹏", "lexical") == ["body"]

    def weigh(**types: Any) -> None:
        path = f"/collections/{name}/fields"
        indexer.client.put(path, json={"fields": types}).raise_for_status()
        job = indexer.rebuild(name)
        indexer.succeeded(job)

    weigh(
        title={"type": "text", "weight": 5},
        keywords={"type": "keywords", "weight": 0},
        body={"type": "text", "weight": 0},
    )
    assert indexer.found(name, "冻土", "lexical") == ["title", "text"]
    assert indexer.found(name, "石墨烯", "lexical") == []
    assert indexer.found(name, "鲲鹏", "lexical") == []
    assert described(indexer)["fields"]["title"] == {"type": "text", "weight": 5}
    put = {"title": "石墨烯", "body": f"鲲鹏。{long}"}
    indexer.client.put(f"/collections/{name}/documents/single", json=put).raise_for_status()
    assert indexer.found(name, "石墨烯", "lexical") == ["single"]
    assert indexer.found(name, "鲲鹏", "lexical") == []

    weigh(
        title={"type": "text"},
        keywords={"type": "keywords", "weight": 3},
        body={"type": "text"},
    )
    assert indexer.found(name, "冻土", "lexical") == ["text", "title"]
    assert indexer.found(name, "石墨烯", "lexical") == ["keyword", "single"]
    assert set(indexer.found(name, "鲲鹏", "lexical")) == {"body", "single"}
    refused = indexer.client.put(
        f"/collections/{name}/fields", json={"fields": {"title": "keyword"}}
    )
    assert refused.status_code == 422
    assert "`title` is a text of every document" in refused.text


def test_statistics_tell_the_type_that_fits(indexer: Installation, name: str) -> None:
    fields: list[dict[str, Any]] = [
        {"year": 2020, "mixed": 1, "tags": ["a"], "day": "2020-01-02", "word": "甲", "open": True},
        {"year": 2.5, "mixed": "1", "tags": "b", "day": "2020-01", "word": "2020"},
        {"long": "长" * 101},
    ]
    job = indexer.submit(
        name, [{"id": f"d{n}", "title": "题", "fields": one} for n, one in enumerate(fields)]
    )
    indexer.succeeded(job)
    found = indexer.client.get(f"/collections/{name}/statistics").json()["fields"]
    assert {one["name"]: one["type"] for one in found} == {
        "year": "number",
        "mixed": None,
        "tags": "keywords",
        "day": "date",
        "word": "keyword",
        "open": None,
        "long": "text",
    }
