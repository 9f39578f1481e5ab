"""Whatever is sent as a body: a clear 4xx or a closed connection, and bounded memory."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.gateway.gateways import gateway
from tests.stack import Stack

LIMIT = 1_000_000
MB = 1_000_000


@pytest.fixture(scope="module")
def url(stack: Stack) -> Iterator[str]:
    with gateway(stack, max_body_bytes=str(LIMIT), max_upload_bytes=str(20 * MB)) as url:
        yield url


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as http:
        yield http


def problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["code"])


def resident(url: str) -> int:
    """Bytes of the gateway's process."""
    port = urlsplit(url).port
    (process,) = {
        each.pid
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid
    }
    return int(psutil.Process(process).memory_info().rss)


def blocks(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b" " * MB


def test_a_body_over_the_limit_whether_announced_or_not(http: httpx.Client) -> None:
    kind = {"content-type": "application/json"}
    announced = http.post("/v1/search", content=b" " * (LIMIT + 1), headers=kind)
    assert problem(announced, 413) == "payload_too_large"
    assert problem(http.post("/v1/search", content=blocks(3), headers=kind), 413)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_gzip_bomb_for_a_json_route_is_not_expanded(
    http: httpx.Client, url: str, method: str
) -> None:
    bomb = gzip.compress(b" " * 500 * MB, compresslevel=1)[: LIMIT - 1]
    before = resident(url)
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    path = "/v1/search" if method == "POST" else "/v1/collections/notes/documents/1"
    assert problem(http.request(method, path, content=bomb, headers=headers), 415)
    assert resident(url) - before < 50 * MB


def test_large_bodies_at_once_leave_the_gateway_small(http: httpx.Client, url: str) -> None:
    before = resident(url)
    kind = {"content-type": "application/json"}
    for _ in range(50):
        problem(http.post("/v1/search", content=blocks(2), headers=kind), 413)
    assert resident(url) - before < 100 * MB


def test_an_upload_over_its_limit_is_cut(http: httpx.Client) -> None:
    answer = http.post("/v1/index-jobs", params={"format": "lines"}, content=blocks(25))
    assert problem(answer, 413) == "payload_too_large"
    assert "split it into several files" in answer.json()["detail"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_json_is_an_upload(http: httpx.Client, packed: bool) -> None:
    """It may be larger than a body in memory, and compressed, whatever its content type is."""
    documents = [{"id": str(number), "title": "草原" * 200} for number in range(2_000)]
    body = json.dumps(documents, ensure_ascii=False).encode()
    assert len(body) > 2 * LIMIT
    encoding = {"content-encoding": "gzip"} if packed else {}
    answer = http.post(
        "/v1/index-jobs",
        params={"collection": "json_file", "format": "json"},
        content=gzip.compress(body) if packed else body,
        headers={"content-type": "application/json", **encoding},
    )
    assert answer.status_code == 202, answer.text
    address = f"/v1/index-jobs/{answer.json()['job_id']}:cancel"
    assert http.post(address).status_code in (200, 409)


@pytest.mark.parametrize(
    ("body", "kind", "statuses"),
    [
        (b"", "application/json", {400, 422}),
        (b"\xff\xfe\x00", "application/json", {400, 422}),
        (b'{"query": "\xed\xa0\x80"}', "application/json", {400, 422}),
        (b"[" * 100_000, "application/json", {400, 422}),
        (b'{"query": "a", "top_k": 1e400}', "application/json", {400, 422}),
        (b'{"query": "a", "query": 5}', "application/json", {400, 422}),
        (json.dumps({"query": "a", "filter": {"a" * 999: 1}}).encode(), "application/json", {422}),
        (b'{"query": "a", "filter": {"x": {"gte": "\\u0000"}}}', "application/json", {200, 422}),
        (b'{"query": "\\ud800"}', "application/json", {400, 422}),
        (b"query=a", "application/x-www-form-urlencoded", {400, 415, 422}),
    ],
)
def test_bodies_that_mean_nothing(
    http: httpx.Client, body: bytes, kind: str, statuses: set[int]
) -> None:
    answer = http.post("/v1/search", content=body, headers={"content-type": kind})
    assert answer.status_code in statuses, answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/v1/collections/nowhere/documents/1", 404),
        ("POST", "/v1/collections/nowhere:rollback", 404),
        ("POST", "/v1/index-jobs/nowhere:cancel", 404),
        ("DELETE", "/mcp", 405),
        ("POST", "/v1/search", 422),
    ],
)
def test_a_call_without_a_body_may_be_declared_as_json(
    http: httpx.Client, method: str, path: str, status: int
) -> None:
    """Many clients send the same headers with every call."""
    answer = http.request(method, path, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/search?q=%ff%fe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/search?q=a HTTP/1.1\r\nhost: x\r\nx-request-id: " + b"a" * 5000 + b"\r\n\r\n",
        b"GET /v1/search?q=a HTTP/1.1\r\nhost: x\r\nauthorization: \xff\xff\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"POST /v1/search HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 200_000 + b"\r\n\r\n",
    ],
)
def test_heads_that_mean_nothing(url: str, head: bytes) -> None:
    """An answer below 500, or a closed connection."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as raw:
        raw.sendall(head)
        try:
            said = raw.recv(1000)
        except ConnectionResetError:
            return
    assert not said or int(said.split(b" ", 2)[1]) < 500, said


def test_a_client_that_sends_half_a_head_is_cut(stack: Stack) -> None:
    with gateway(stack, head_seconds="0.5") as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=30) as slow:
            slow.sendall(b"POST /v1/search HTTP/1.1\r\nhost: x\r\n")
            assert slow.recv(1) == b""  # closed
        with socket.create_connection((address.hostname, address.port), timeout=30) as kept:
            for _ in range(2):  # the second head on a connection is awaited for as long
                kept.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
                said = b""
                while b"alive" not in said:
                    said += kept.recv(4000)
            kept.sendall(b"GET /livez HTTP/1.1\r\n")
            assert kept.recv(1) == b""


def test_a_client_that_sends_its_body_slowly_is_told(stack: Stack) -> None:
    with gateway(stack, body_seconds="0.5") as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=30) as slow:
            slow.sendall(
                b"POST /v1/search HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                b"content-length: 100\r\n\r\n{"
            )
            started = time.monotonic()
            assert b" 408 " in slow.recv(4000)
            assert time.monotonic() - started < 20


HUGE = 2**64


@pytest.mark.parametrize(
    "condition",
    [
        {"year": HUGE},
        {"*bad name": 1},
        {"year": {"like": 1}},
        {"year": {"gte": 2015, "lt": "abc"}},
        {"year": {"gte": [2015]}},
    ],
)
def test_a_filter_is_refused_before_anything_is_computed(
    http: httpx.Client, condition: dict[str, object]
) -> None:
    body = {"filter": condition, "rank": False}
    refused = http.post("/v1/search", json={"query": "水稻", **body})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_filter")
    batch = http.post("/v1/search:batch", json={"queries": ["水稻", "桥梁"], **body}).json()
    assert {answer["error"]["code"] for answer in batch["answers"]} == {"invalid_filter"}


MIXED = {"year": {"gte": 2015, "lt": "abc"}}
LITERATURE = "/v1/collections/literature"


@pytest.mark.parametrize(
    ("method", "path", "request_"),
    [
        ("POST", "/v1/search", {"json": {"filter": MIXED}}),
        ("GET", "/v1/search", {"params": {"q": "水稻", "filter": json.dumps(MIXED)}}),
        ("POST", "/v1/similar", {"json": {"id": "csl-dev-00000", "filter": MIXED}}),
        ("GET", f"{LITERATURE}/documents", {"params": {"filter": json.dumps(MIXED)}}),
        ("GET", f"{LITERATURE}/export", {"params": {"filter": json.dumps(MIXED)}}),
        ("POST", f"{LITERATURE}/documents:delete", {"json": {"filter": MIXED}}),
    ],
)
def test_every_call_refuses_bounds_of_two_kinds(
    http: httpx.Client, method: str, path: str, request_: dict[str, Any]
) -> None:
    refused = http.request(method, path, **request_)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_filter")
    assert refused.json()["detail"] == (
        '`year`: `gte` 2015 and `lt` "abc" are bounds of two kinds, and no value lies between a'
        " number and a string; write all of them as numbers, or all as strings, such as dates."
    )


def test_a_parameter_is_given_once(http: httpx.Client) -> None:
    assert http.get("/v1/search?q=水稻&top_k=1&rank=false").status_code == 200
    refused = http.get("/v1/search?q=水稻&top_k=1&top_k=2")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert "'top_k'" in refused.json()["detail"]
