"""Bad input is refused with a 4xx that says what to do."""

import json
from collections.abc import Iterator
from urllib.parse import unquote

import httpx
import pytest

from tests.stack import Stack
from xunwen import Client
from xunwen.client import JobState


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        yield http


def refused(answer: httpx.Response, *statuses: int) -> str:
    """The detail of a refusal, after its form was checked."""
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["request_id"]
    assert problem["code"]
    assert "Traceback" not in answer.text
    return str(problem["detail"])


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"query": ""}, 422, "query"),
        ({"query": "   "}, 422, "query"),
        ({"query": "长" * 10_000}, 422, "query"),
        ({"query": "a", "top_k": 0}, 422, "top_k"),
        ({"query": "a", "top_k": 10**9}, 422, "top_k"),
        ({"query": "a", "mode": "magic"}, 422, "mode"),
        ({"query": "a", "collection": "unknown"}, 404, "unknown"),
        ({"query": "a", "filter": {"discipline": {"like": 1}}}, 422, "no operator"),
        ({}, 422, "query"),
        ({"query": "a", "surprise": 1}, 422, "surprise"),
    ],
)
def test_searches(http: httpx.Client, body: object, status: int, says: str) -> None:
    assert says in refused(http.post("/v1/search", json=body), status)


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[1]", b""])
def test_bodies_that_are_no_json_object(http: httpx.Client, body: bytes) -> None:
    answer = http.post("/v1/search", content=body, headers={"content-type": "application/json"})
    refused(answer, 400, 422)


def test_unknown_things(http: httpx.Client) -> None:
    refused(http.get("/v1/collections/unknown"), 404)
    refused(http.get("/v1/collections/literature/documents/unknown"), 404)
    refused(http.get("/v1/index-jobs/unknown"), 404, 422)
    refused(http.get("/v2/nothing"), 404)
    refused(http.delete("/v1/search"), 405)


def test_a_format_that_is_none(http: httpx.Client) -> None:
    params = {"collection": "notes", "format": "docx"}
    refused(http.post("/v1/index-jobs", params=params, content=b"PK"), 415, 422)


def test_a_source_outside_the_allowed_roots(http: httpx.Client) -> None:
    params = {"collection": "notes", "source": "/etc/passwd"}
    assert "allowed root" in refused(http.post("/v1/index-jobs", params=params), 403)


def test_documents_that_cannot_be_one(http: httpx.Client) -> None:
    path = "/v1/collections/notes/documents/1"
    assert "a text or a body" in refused(http.put(path, json={}), 422)
    refused(http.put(path, json={"title": "长" * 10_000}), 422)
    refused(http.put(path, json={"title": "a", "fields": {" a": 1}}), 422)


@pytest.mark.parametrize("character", ["%00", "%0E", "%1F"])
def test_ids_that_no_document_has(http: httpx.Client, character: str) -> None:
    """Milvus has no way to write such a character in an expression."""
    path = f"/v1/collections/literature/documents/a{character}b"
    for method in ("GET", "DELETE", "PUT"):
        body = {"title": "a"} if method == "PUT" else None
        assert "control characters" in refused(http.request(method, path, json=body), 400)
    ids = [unquote(f"a{character}b")]
    deletion = "/v1/collections/literature/documents:delete"
    assert "ids" in refused(http.post(deletion, json={"ids": ids}), 422)
    refused(http.delete("/v1/collections/literature/documents/%20"), 422)


def test_bad_lines_of_a_file_are_rejected_one_by_one(client: Client, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    good = [{"id": str(number), "title": f"第{number}篇"} for number in range(5)]
    lines = [json.dumps(document, ensure_ascii=False).encode() for document in good]
    lines += [b'{"title": "no id"}', b'{"id": "no text"}', b'{"id": "9", "title": "\xff"}', b"{"]
    lines += [json.dumps({"id": "0", "title": "第零篇, again"}, ensure_ascii=False).encode()]
    file = tmp_path_factory.mktemp("input") / "mixed.jsonl"
    file.write_bytes(b"\n".join(lines))
    try:
        job = client.wait(client.index(file, collection="mixed").id)
        assert job.state is JobState.SUCCEEDED_WITH_ERRORS
        assert job.counts.model_dump() == {
            "read": 10,
            "indexed": 5,
            "rejected": 4,
            "deduplicated": 1,
        }
        rejected = list(client.errors(job.id))
        assert [line.line for line in rejected] == [6, 7, 8, 9]
        assert all(line.reason for line in rejected)
        assert client.collection("mixed").count == 5
        assert client.get("0", collection="mixed").title == "第零篇, again"
    finally:
        client.delete_collection("mixed")
