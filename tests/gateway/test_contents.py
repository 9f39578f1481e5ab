"""Documents as data, through the whole system: lists, vectors, changes, export, statistics."""

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.stack import Stack
from xunwen import ApiError, Client, Document

NAME = f"contents_{os.getpid()}"
COUNT = 1_203
"""More than the indexer reads at a time."""
RANDOM = random.Random(7)


def example(number: int) -> dict[str, Any]:
    """A document with a field of every kind; every third has an id of its own kind."""
    identity = {0: f"期刊/{number}", 1: f"o'{number}", 2: f"n{number}"}[number % 3]
    fields: dict[str, Any] = {"year": 2000 + number % 20, "discipline": f"学科{number % 5}"}
    if number % 2:
        fields |= {"keywords": [f"词{number % 7}", f"词{number % 11}"], "open": number % 4 == 1}
    if number % 10 == 0:
        fields |= {"mixed": "一" if number % 20 else 1, "weight": number / 8}
    return {"id": identity, "title": f"第{number}篇", "text": "", "fields": fields}


DOCUMENTS = {item["id"]: item for item in map(example, range(COUNT))}


def vector_of(number: int, dimension: int) -> list[float]:
    """A ready-made vector, so that nothing need be encoded; none that an encoder would make."""
    values = np.random.default_rng(number).normal(size=dimension)
    return [float(value) for value in (values / np.linalg.norm(values)).astype(np.float32)]


def ended(client: Client, job_id: str) -> Any:
    counts = client.wait(job_id).counts
    assert counts.rejected == 0
    return counts


@pytest.fixture(scope="module")
def client(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Client(stack.url, timeout=60) as client:
        like = client.collection("literature")
        items = [
            {**item, "v": vector_of(place, like.dimension)}
            for place, item in enumerate(DOCUMENTS.values())
        ]
        file = tmp_path_factory.mktemp("contents") / "papers.jsonl"
        file.write_text("\n".join(json.dumps(item) for item in items), encoding="utf-8")
        job = client.index(file, collection=NAME, mapping={"vector": "v"}, encoder=like.encoder)
        assert ended(client, job.id).indexed == COUNT
        yield client
        client.delete_collection(NAME)


def stored(client: Client, name: str) -> dict[str, Any]:
    return {each.id: each.model_dump() for each in client.documents(collection=name)}


def matches(condition: dict[str, Any], fields: dict[str, Any]) -> bool:
    """What a filter of this test means, by the letter of docs/api.md."""
    for name, wanted in condition.items():
        value = fields.get(name)
        if isinstance(wanted, dict):
            if not isinstance(value, int) or isinstance(value, bool):
                return False
            if not wanted["gte"] <= value < wanted["lt"]:
                return False
        elif value != wanted and not (isinstance(value, list) and wanted in value):
            return False
    return True


def test_a_walk_lists_every_document_once_in_the_order_of_ids(client: Client) -> None:
    listed = list(client.documents(collection=NAME))
    assert {each.id: each.model_dump() for each in listed} == DOCUMENTS
    assert len(listed) == COUNT


@pytest.mark.parametrize("number", range(8))
def test_a_filtered_walk_equals_a_brute_force_one(client: Client, number: int) -> None:
    start = RANDOM.randrange(2000, 2015)
    possible: list[dict[str, Any]] = [
        {"year": {"gte": start, "lt": start + 3}},
        {"discipline": f"学科{RANDOM.randrange(5)}"},
        {"keywords": f"词{RANDOM.randrange(7)}"},
        {"open": True},
    ]
    chosen = RANDOM.sample(possible, RANDOM.randint(1, 2))
    condition = {name: value for part in chosen for name, value in part.items()}
    found = [each.id for each in client.documents(collection=NAME, filter=condition)]
    wanted = [each["id"] for each in DOCUMENTS.values() if matches(condition, each["fields"])]
    assert sorted(found) == sorted(wanted)
    print(condition, len(found))


def test_pages_carry_what_is_named_and_cursors_are_checked(client: Client, stack: Stack) -> None:
    path = f"{stack.url}/v1/collections/{NAME}/documents"
    first = httpx.get(path, params={"limit": 2, "fields": "id"}).json()
    assert [set(each) for each in first["documents"]] == [{"id"}, {"id"}]
    named = httpx.get(path, params={"limit": 2, "fields": "year,title", "after": first["next"]})
    members = [(set(each), set(each["fields"])) for each in named.json()["documents"]]
    assert members == [({"id", "title", "fields"}, {"year"})] * 2
    for wrong, word in (
        ({"after": "~"}, "cursor"), ({"after": "4q"}, "cursor"), ({"limit": 1001}, "limit"),
        ({"filter": "{"}, "JSON"), ({"filter": '{"year": {"near": 1}}'}, "near"),
        ({"page": 2}, "page"),
    ):  # fmt: skip
        answer = httpx.get(path, params=wrong)
        assert answer.status_code == 422, answer.text
        assert word in answer.json()["detail"]
    assert httpx.get(path.replace(NAME, "nowhere")).status_code == 404


def test_a_walk_under_writes_has_every_untouched_document_once(client: Client) -> None:
    walk = client.documents(collection=NAME, fields=["id"])
    seen = [next(walk).id for _ in range(5)]
    client.put(Document(id="!first", title="在前"), collection=NAME)
    client.put(Document(id="~~last", title="在后"), collection=NAME)
    client.patch(seen[0], collection=NAME, fields={"touched": True})
    seen += [each.id for each in walk]
    client.delete_documents(collection=NAME, ids=["!first", "~~last"])
    client.patch(seen[0], collection=NAME, fields={"touched": None})
    assert Counter(seen) - Counter(["~~last", "!first"]) == Counter(DOCUMENTS.keys())


def test_the_stored_vector_and_what_is_near_to_it(client: Client) -> None:
    ids = list(DOCUMENTS)
    asked = client.vector(ids[3], collection=NAME)
    assert (asked.id, asked.dimension) == (ids[3], len(asked.vector))
    matrix = np.array([vector_of(place, asked.dimension) for place in range(COUNT)])
    np.testing.assert_allclose(asked.vector, matrix[3], atol=1e-6)
    cosines = matrix @ matrix[3]
    order = [place for place in np.argsort(-cosines) if place != 3]
    answer = client.similar(ids[3], collection=NAME, top_k=5)
    assert [hit.id for hit in answer.hits] == [ids[place] for place in order[:5]]
    np.testing.assert_allclose([hit.score for hit in answer.hits], cosines[order[:5]], atol=1e-5)
    condition = {"discipline": "学科1"}
    filtered = client.similar(ids[3], collection=NAME, top_k=3, filter=condition, fields=["year"])
    allowed = [place for place in order if place % 5 == 1]
    assert [hit.id for hit in filtered.hits] == [ids[place] for place in allowed[:3]]
    assert all(hit.title is None and set(hit.fields) == {"year"} for hit in filtered.hits)
    for call in (client.similar, client.vector):
        with pytest.raises(ApiError) as gone:
            call("nowhere", collection=NAME)
        assert (gone.value.status, gone.value.code) == (404, "document_not_found")


def test_a_change_of_fields_keeps_the_vector_and_is_found_at_once(client: Client) -> None:
    document = list(DOCUMENTS)[5]
    before = client.vector(document, collection=NAME).vector
    change = {"year": 1999, "note": "甲骨拓片", "discipline": None}
    client.patch(document, collection=NAME, fields=change)
    kept = {**DOCUMENTS[document]["fields"], "year": 1999, "note": "甲骨拓片"}
    del kept["discipline"]
    assert client.get(document, collection=NAME).fields == kept
    assert client.vector(document, collection=NAME).vector == before
    options: dict[str, Any] = {"collection": NAME, "mode": "lexical", "rank": False}
    assert [hit.id for hit in client.search("甲骨拓片", **options).hits] == [document]
    found = [each.id for each in client.documents(collection=NAME, filter={"year": 1999})]
    assert found == [document]
    client.patch(document, collection=NAME, title="水稻病害的识别")
    changed = client.vector(document, collection=NAME).vector
    assert np.dot(changed, before) < 0.9
    assert [hit.id for hit in client.search("水稻病害", **options).hits] == [document]
    client.put(Document.model_validate(DOCUMENTS[document]), collection=NAME)


def test_changes_at_the_same_time_are_all_made(client: Client) -> None:
    document = list(DOCUMENTS)[7]

    def change(number: int) -> None:
        for _ in range(20):
            try:
                client.patch(document, collection=NAME, fields={f"by_{number}": number})
            except ApiError as error:
                if error.status != 409:
                    raise
            else:
                return
        raise AssertionError("the change was never made")

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(change, range(6)))
    fields = client.get(document, collection=NAME).fields
    assert {name: fields[name] for name in fields if name.startswith("by_")} == {
        f"by_{number}": number for number in range(6)
    }
    client.patch(document, collection=NAME, fields=dict.fromkeys(map("by_{}".format, range(6))))
    assert client.get(document, collection=NAME).fields == DOCUMENTS[document]["fields"]


def test_changes_that_cannot_be_made_are_refused(client: Client, stack: Stack) -> None:
    path = f"{stack.url}/v1/collections/{NAME}/documents/n2"
    before = client.get("n2", collection=NAME)
    for body, word in (
        ({}, "nothing"), ({"id": "x"}, "cannot be changed"), ({"title": None}, "needed"),
        ({"fields": {"year": {"a": 1}}}, "object"), ({"fields": []}, "object"), ([], "object"),
        ({"*年": 1}, "begin with"), ({"title": 5}, "string"),
    ):  # fmt: skip
        answer = httpx.patch(path, json=body)
        assert answer.status_code == 422, (body, answer.text)
        assert word in answer.json()["detail"], (body, answer.text)
    assert httpx.patch(path.replace("n2", "n0"), json={"title": "甲"}).status_code == 404
    assert client.get("n2", collection=NAME) == before


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("vectors", [False, True])
def test_an_export_is_read_back_as_it_was(
    client: Client, stack: Stack, tmp_path: Path, form: str, vectors: bool
) -> None:
    if not vectors and form == "jsonl":
        wanted = {one: each for one, each in DOCUMENTS.items() if each["fields"]["year"] < 2001}
    else:
        wanted = DOCUMENTS
    condition = None if wanted is DOCUMENTS else {"year": {"lt": 2001}}
    other, file = f"{NAME}_copy", tmp_path / f"papers.{form}"
    if vectors:
        written = stack.xunwen("collections", "export", NAME, str(file), "--vectors")
        assert written.returncode == 0, written.stderr
        assert [each.name for each in tmp_path.iterdir()] == [file.name]
        job = client.index(
            file, collection=other, mapping={"vector": "vector"},
            encoder=client.collection(NAME).encoder,
        )  # fmt: skip
    else:
        blocks = client.export(NAME, format=form, filter=condition)
        file.write_bytes(b"".join(blocks))
        if wanted is DOCUMENTS:  # the form alone is looked at: encoding all of it takes long
            import pyarrow.parquet

            rows = pyarrow.parquet.read_table(file).to_pylist()
            assert {row["id"]: {**row, "fields": json.loads(row["fields"])} for row in rows} == {
                one: {**each, "body": ""} for one, each in DOCUMENTS.items()
            }
            return
        job = client.index(file, collection=other)
    try:
        assert ended(client, job.id).indexed == len(wanted)
        assert stored(client, other) == wanted
        if vectors:
            for one in list(DOCUMENTS)[:3]:
                copied = client.vector(one, collection=other).vector
                assert copied == client.vector(one, collection=NAME).vector
    finally:
        client.delete_collection(other)


def test_the_statistics_equal_a_brute_force_count(client: Client) -> None:
    found = client.statistics(NAME)
    assert (found.documents, found.counted) == (COUNT, COUNT)
    assert (found.title.documents, found.text.documents) == (COUNT, 0)
    by_name = {each.name: each for each in found.fields}
    fields = [each["fields"] for each in DOCUMENTS.values()]
    assert set(by_name) == {name for each in fields for name in each}
    for name, counted in by_name.items():
        values = [each[name] for each in fields if name in each]
        items = [
            item for value in values for item in (value if isinstance(value, list) else [value])
        ]
        held = Counter(
            item for value in values for item in set(value if isinstance(value, list) else [value])
        )
        assert counted.documents == len(values)
        assert sum(counted.kinds.values()) == len(items)
        assert (counted.distinct, counted.complete) == (len(held), True)
        assert [top.documents for top in counted.top] == sorted(held.values(), reverse=True)[:10]
    assert by_name["mixed"].kinds == {"integer": 61, "text": 60}
    assert (by_name["year"].least, by_name["year"].greatest) == (2000, 2019)
    assert by_name["open"].kinds == {"boolean": by_name["open"].documents}


def test_keys_and_audit(client: Client, stack: Stack, keyed: str) -> None:
    """Reading needs `search`, changing and exporting `index`; an export is in the audit log."""
    keys = {
        scope: stack.xunwen(
            "keys", "create", f"{NAME}-{scope}", "--scope", scope, "--collection", NAME
        ).stdout.strip()
        for scope in ("search", "index")
    }
    calls: list[tuple[str, str, str, Any]] = [
        ("search", "GET", "documents", None),
        ("search", "GET", "vectors/n2", None),
        ("search", "GET", "statistics", None),
        ("index", "GET", "export", None),
        ("index", "PATCH", "documents/n2", {"fields": {"year": 2002}}),
    ]
    for needed, method, path, body in calls:
        for scope, key in keys.items():
            for name in (NAME, "literature"):
                answer = httpx.request(
                    method, f"{keyed}/v1/collections/{name}/{path}", json=body, timeout=60,
                    headers={"authorization": f"Bearer {key}"},
                )  # fmt: skip
                wanted = 403 if scope != needed else 200 if name == NAME else 404
                assert answer.status_code == wanted, (scope, method, path, answer.text)
    bearer = {"authorization": f"Bearer {keys['search']}"}
    for name, wanted in ((NAME, 200), ("literature", 404)):
        body = {"id": "n2", "collection": name}
        assert httpx.post(f"{keyed}/v1/similar", json=body, headers=bearer).status_code == wanted
    log = stack.xunwen("keys", "audit", "--json").stdout
    assert f"GET /v1/collections/{NAME}/export" in log
