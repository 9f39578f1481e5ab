"""Raw requests over a real socket: what is allowed is answered, and everything else refused."""

import io
import json
import re
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from services.common.server.request_heads import MAX_HEAD_BYTES
from tests.common.running import small_service
from tests.waiting import eventually

HOST = b"host: x\r\n"
LAST = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
"""A request after which the service closes the connection."""
ALIVE = {"status": "alive"}
NOT_HTTP = "The request is not HTTP/1.1 as it must be, or its method is unknown."
ONE_HOST = "The request needs one Host header."
ONE_CODING = "The only Transfer-Encoding is `chunked`, in HTTP/1.1."
CHUNKED = b"POST /echo/a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
GET = b"GET /echo/a HTTP/1.1\r\n"
POST = b"POST /echo/a HTTP/1.1\r\n"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class _Said(io.BytesIO):
    """Bytes that several responses are read from, each of which would close a real socket."""

    def makefile(self, _mode: str) -> "_Said":
        return self

    def close(self) -> None:
        pass


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    raw = socket.create_connection((address.hostname, address.port), timeout=30)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return raw


def say(url: str, *parts: bytes) -> bytes:
    """All that the service says until it closes the connection; each part is a packet."""
    with connect(url) as raw:
        for part in parts:
            raw.sendall(part)
            time.sleep(0.01)
        return b"".join(iter(lambda: raw.recv(65_536), b""))


def answers(said: bytes, method: str = "GET") -> list[Answer]:
    """The responses in `said`, of which the first answers a request of the given method."""
    stream, found = _Said(said), []
    while stream.tell() < len(said):
        response = HTTPResponse(cast(socket.socket, stream), method=method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        found.append(Answer(response.status, headers, response.read()))
        method = "GET"
    return found


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("small") / "log"


@pytest.fixture(scope="module")
def url(log: Path) -> Iterator[str]:
    with small_service(log) as (_, url):
        yield url


@pytest.mark.parametrize(
    ("parts", "heard"),
    [
        ([GET + HOST + b"\r\n"], {"path": "a", "parameters": {}, "body": ""}),
        (["GET /echo/水稻?q=检索 HTTP/1.1\r\n".encode(), HOST + b"\r\n"], {"path": "水稻"}),
        (["GET /echo/水稻?q=检索 HTTP/1.1\r\nhost: 水\r\n\r\n".encode()], {"path": "水稻"}),
        ([b"\r\n", b"GET /echo/\xe6\xb0", b"\xb4 HTTP/1.1\r\n" + HOST + b"\r\n"], {"path": "水"}),
        ([bytes([byte]) for byte in GET + HOST + b"\r\n"], {"path": "a"}),
        ([b"GET http://x/echo/a?q=b HTTP/1.1\r\n" + HOST + b"\r\n"], {"parameters": {"q": "b"}}),
        ([POST + HOST + b"content-length: 5\r\n\r\nab", b"cde"], {"body": "abcde"}),
        ([CHUNKED + b"3\r\nabc\r\n2;note=x\r\n", b"de\r\n0\r\n\r\n"], {"body": "abcde"}),
        ([GET + HOST + b"x: \t b  c \t\r\n\r\n"], {"headers": {"host": "x", "x": "b  c"}}),
        ([GET + HOST + b"x: " + b"b" * 60_000, b"\r\n\r\n"], {"path": "a"}),
        (
            [CHUNKED + b"3\r\nabc\r\n0\r\nx-internal-token: b\r\n\r\n"],
            {"body": "abc", "headers": {"host": "x", "transfer-encoding": "chunked"}},
        ),
        (
            [
                POST + HOST + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\na",
                b"bc",
            ],
            {"body": "abc"},
        ),
        (
            [
                POST + b"upgrade: h2c\r\nconnection: upgrade\r\n" + CHUNKED[23:],
                b"1\r\na\r\n0\r\n\r\n",
            ],
            {"body": "a"},
        ),
        (
            [
                GET + HOST + b"connection: upgrade\r\nupgrade: websocket\r\n"
                b"sec-websocket-version: 13\r\nsec-websocket-key: YWJjZGVmZ2hpamtsbW5vcA==\r\n\r\n"
            ],
            {"path": "a"},
        ),
    ],
)
def test_what_is_allowed(url: str, parts: Sequence[bytes], heard: dict[str, Any]) -> None:
    first, last = answers(say(url, *parts, LAST))
    assert first.status == 200
    assert {name: first.json()[name] for name in heard} == heard
    assert last.json() == ALIVE
    assert "date" in first.headers
    assert "server" not in first.headers


@pytest.mark.parametrize(
    ("request_", "detail"),
    [
        (b"NONSENSE\r\n\r\n", NOT_HTTP),
        (b"\x16\x03\x01\x00\xc2\x01\x00\x00\xbe\x03\x03", NOT_HTTP),  # the beginning of TLS
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NOT_HTTP),
        (b"FETCH /echo/a HTTP/1.1\r\n" + HOST + b"\r\n", NOT_HTTP),
        (b"GET /echo/a b HTTP/1.1\r\n" + HOST + b"\r\n", NOT_HTTP),
        (b"GET echo/a HTTP/1.1\r\n" + HOST + b"\r\n", NOT_HTTP),
        (b"GET /echo/\x00 HTTP/1.1\r\n" + HOST + b"\r\n", NOT_HTTP),
        (b"GET http:// HTTP/1.1\r\n" + HOST + b"\r\n", NOT_HTTP),
        (b"GET /echo/a HTTP/1.1\nhost: x\n\n", NOT_HTTP),
        (GET + HOST + b"x: a\r\n b\r\n\r\n", NOT_HTTP),
        (GET + HOST + b"x : a\r\n\r\n", NOT_HTTP),
        (GET + HOST + b"x: a\x00\r\n\r\n", NOT_HTTP),
        (GET + HOST + b"x: a\rb\r\n\r\n", NOT_HTTP),
        (b"GET /echo/a\r\n" + HOST + b"\r\n", "another version"),
        (b"GET /echo/a HTTP/2.0\r\n" + HOST + b"\r\n", "another version"),
        (b"CONNECT x:443 HTTP/1.1\r\n" + HOST + b"\r\n", "no tunnels"),
        (GET + b"\r\n", ONE_HOST),
        (GET + HOST + b"host: y\r\n\r\n", ONE_HOST),
        (POST + HOST + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabc", NOT_HTTP),
        (POST + HOST + b"content-length: 3, 3\r\n\r\nabc", NOT_HTTP),
        (POST + HOST + b"content-length: -3\r\n\r\nabc", NOT_HTTP),
        (POST + HOST + b"content-length: 99999999999999999999\r\n\r\nabc", NOT_HTTP),
        (CHUNKED[:-2] + b"content-length: 3\r\n\r\n0\r\n\r\n", NOT_HTTP),
        (POST + HOST + b"content-length: 3\r\n" + CHUNKED[32:], NOT_HTTP),
        (CHUNKED[:-2] + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", NOT_HTTP),
        (CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n", ONE_CODING),
        (CHUNKED.replace(b"chunked", b"identity") + b"0\r\n\r\n", ONE_CODING),
        (CHUNKED.replace(b"chunked", b"xchunked") + b"0\r\n\r\n", ONE_CODING),
        (CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n", ONE_CODING),
        (CHUNKED + b"3\r\nabcX\r\n0\r\n\r\n", NOT_HTTP),
        (CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n", NOT_HTTP),
        (CHUNKED + b"3\nabc\n0\n\n", NOT_HTTP),
        (CHUNKED + b"ffffffffffffffffff\r\nabc", NOT_HTTP),
    ],
)
def test_what_cannot_be_read_is_a_problem_and_the_end(
    url: str, request_: bytes, detail: str, log: Path
) -> None:
    (refused,) = answers(say(url, request_))
    assert refused.status == 400
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["connection"] == "close"
    assert "server" not in refused.headers
    problem = refused.json()
    assert problem["code"] == "malformed_request"
    assert detail in problem["detail"]
    assert refused.headers["x-request-id"] == problem["request_id"]
    written = log.read_text()
    assert problem["request_id"] in written
    assert "Traceback" not in written


@pytest.mark.parametrize("size", [MAX_HEAD_BYTES, 200_000])
def test_a_head_that_is_too_large(url: str, size: int) -> None:
    (refused,) = answers(say(url, GET + HOST + b"x: " + b"a" * size + b"\r\n\r\n"))
    assert (refused.status, refused.json()["code"]) == (431, "head_too_large")


@pytest.mark.parametrize(("number", "status"), [(5000, 200), (5100, 431)])
@pytest.mark.parametrize("size", [2000, 100_000])
def test_a_head_of_many_short_headers(url: str, number: int, status: int, size: int) -> None:
    """The lines of 13 bytes count whole, however they are cut into packets."""
    head = GET + HOST + b"".join(b"x-%05d:abc\r\n" % line for line in range(number)) + b"\r\n"
    packets = [head[at : at + size] for at in range(0, len(head), size)]
    assert answers(say(url, *packets, LAST))[0].status == status


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET /", b"a"),
        (GET + b"x: ", b"a"),
        (GET, b"x: a\r\n"),
        (b"", b"\r\n"),
        (CHUNKED + b"1\r\na\r\n0\r\nx: ", b"a"),
        (CHUNKED + b"1\r\na\r\n0\r\n", b"x: a\r\n"),
        (CHUNKED + b"1;x=", b"a"),
    ],
)
def test_what_never_ends_is_cut(url: str, begin: bytes, more: bytes) -> None:
    def send_without_end(raw: socket.socket) -> None:
        while True:
            raw.sendall(more * 10_000)

    with connect(url) as raw:
        raw.sendall(begin)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            send_without_end(raw)


def across_edges(begin: bytes, length: int) -> bytes:
    """Small requests behind `begin`; a body lies across each multiple of 8,192 bytes."""
    small = POST + HOST + b"content-length: 1\r\n\r\na"
    said = begin
    for edge in range(8192, length, 8192):
        said += small * ((edge - len(said) - 200) // len(small))
        size = edge - len(said)
        said += POST + HOST + b"content-length: %d\r\n\r\n" % size + b"b" * size
    return said


def test_requests_that_come_at_once_are_answered_in_their_order(url: str) -> None:
    slow = b"GET /slow?seconds=0.3 HTTP/1.1\r\n" + HOST + b"\r\n"
    quick = [b"GET /echo/%d HTTP/1.1\r\n" % number + HOST + b"\r\n" for number in range(1000)]
    first, *others, last = answers(say(url, slow + b"".join(quick), LAST))
    assert first.json() == {"text": "x" * 10_000}
    assert [answer.json()["path"] for answer in others] == [str(number) for number in range(1000)]
    assert last.json() == ALIVE


def test_bodies_that_come_at_once_are_read_in_their_order(url: str) -> None:
    said = across_edges(b"GET /slow?seconds=0.3 HTTP/1.1\r\n" + HOST + b"\r\n", 50_000)
    first, *others, last = answers(say(url, said, LAST))
    assert first.json() == {"text": "x" * 10_000}
    sizes = [int(size) for size in re.findall(rb"content-length: (\d+)", said)]
    assert [len(answer.json()["body"]) for answer in others] == sizes
    assert last.json() == ALIVE


NEVER = b"GET /slow?seconds=30 HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.mark.parametrize(
    "many",
    [
        pytest.param(NEVER + (GET + HOST + b"\r\n") * 4000, id="heads"),
        pytest.param(across_edges(NEVER, 250_000), id="bodies"),
    ],
)
def test_requests_that_wait_for_their_turn_take_little_memory(many: bytes) -> None:
    with small_service() as (process, url), ExitStack() as connections:
        service = psutil.Process(process.pid)
        before = service.memory_info().rss
        for _ in range(60):
            connections.enter_context(connect(url)).sendall(many)
        for _ in range(3):  # The loop of the service has read what came before these.
            assert httpx.get(f"{url}/livez", timeout=60).json() == ALIVE
        assert service.memory_info().rss - before < 150_000_000


def test_a_request_that_looks_for_its_caller_reads_little_of_what_follows(url: str) -> None:
    body = memoryview(b"x" * 4_000_000)
    with connect(url) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        raw.sendall(b"GET /polls HTTP/1.1\r\n" + HOST + b"\r\n")
        raw.sendall(b"POST /unread HTTP/1.1\r\n" + HOST + b"content-length: 4000000\r\n\r\n")
        sent = 0
        while not select.select([raw], [], [], 0.001)[0]:  # The first answer has not come.
            if select.select([], [raw], [], 0)[1]:
                sent += raw.send(body[sent : sent + 10_000])
        assert sent < 2_000_000
        raw.sendall(body[sent:])
        raw.sendall(LAST)
        said = b"".join(iter(lambda: raw.recv(65_536), b""))
    assert [answer.status for answer in answers(said)] == [200, 200, 200]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (CHUNKED + b"X", 400),
        (GET + HOST + b"x: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
    ],
)
def test_a_fault_is_answered_after_what_came_before_it(url: str, fault: bytes, status: int) -> None:
    before = b"GET /slow?seconds=0.3 HTTP/1.1\r\n" + HOST + b"\r\n" + GET + HOST + b"\r\n"
    slow, quick, refused = answers(say(url, before + fault))
    assert slow.json() == {"text": "x" * 10_000}
    assert quick.json()["path"] == "a"
    assert refused.status == status


@pytest.mark.parametrize(
    ("parts", "statuses"),
    [
        ([b"content-length: 9\r\n\r\nabc", b"defghi" + LAST], [200, 200]),
        ([b"content-length: 9\r\n\r\nabc", b"defghi", LAST], [200, 200]),
        ([b"transfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n", b"0\r\n\r\n" + LAST], [200, 200]),
        ([b"transfer-encoding: chunked\r\n\r\n", b"X"], [200]),
        ([b"expect: 100-continue\r\ncontent-length: 3\r\n\r\n", b"abc", LAST], [200, 200]),
    ],
)
def test_a_body_that_nobody_reads(url: str, parts: list[bytes], statuses: list[int]) -> None:
    head = b"POST /unread HTTP/1.1\r\n" + HOST
    with connect(url) as raw:
        raw.sendall(head + parts[0])
        said = raw.recv(65_536)  # The answer comes before the body does.
        for part in parts[1:]:
            raw.sendall(part)
        said += b"".join(iter(lambda: raw.recv(65_536), b""))
    assert [answer.status for answer in answers(said)] == statuses


def test_a_client_that_waits_is_told_to_continue(url: str) -> None:
    head = POST + HOST + b"expect: 100-continue\r\nconnection: close\r\ncontent-length: 3\r\n\r\n"
    with connect(url) as raw:
        raw.sendall(head)
        assert raw.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(b"abc")
        said = b"".join(iter(lambda: raw.recv(65_536), b""))
    assert [answer.json()["body"] for answer in answers(said)] == ["abc"]


def test_http_1_0_gets_no_chunks_and_is_not_told_to_continue(url: str) -> None:
    (streamed,) = answers(say(url, b"GET /stream HTTP/1.0\r\n\r\n"))
    assert streamed.body == b"aaaaabbbbbccccc"
    assert "transfer-encoding" not in streamed.headers
    said = say(url, b"POST /echo/a HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\na")
    assert said.startswith(b"HTTP/1.1 200")
    assert answers(said)[0].json()["body"] == "a"


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_request_that_the_application_leaves_without_an_answer(url: str, version: bytes) -> None:
    said = say(url, b"GET /nothing HTTP/" + version + b"\r\n" + HOST + b"\r\n")
    (failed,) = answers(said)
    assert (failed.status, failed.body) == (500, b"Internal Server Error")


def test_http_1_1_gets_chunks(url: str) -> None:
    streamed, last = answers(say(url, b"GET /stream HTTP/1.1\r\n" + HOST + b"\r\n", LAST))
    assert (streamed.body, streamed.headers["transfer-encoding"]) == (b"aaaaabbbbbccccc", "chunked")
    assert last.json() == ALIVE


def test_head_and_body_of_an_answer_arrive_together(url: str) -> None:
    with connect(url) as raw:
        for _ in range(100):
            raw.sendall(GET + HOST + b"\r\n")
            assert raw.recv(65_536).endswith(b"}")


def test_a_head_does_not_wait_for_its_body(url: str) -> None:
    with connect(url) as raw:
        raw.sendall(b"GET /begun HTTP/1.1\r\n" + HOST + b"\r\n")
        assert raw.recv(65_536).endswith(b"\r\n\r\n")


def test_a_large_answer_waits_for_its_reader(url: str) -> None:
    with connect(url) as raw:
        raw.sendall(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        said = [raw.recv(1)]  # The answer has begun, and 40 MB fit into no buffer on its way.
        assert 0 < httpx.get(f"{url}/made").json() < 500
        said += iter(lambda: raw.recv(65_536), b"")
    (answer,) = answers(b"".join(said))
    assert answer.body == b"x" * 40_000_000
    assert httpx.get(f"{url}/made").json() == 1000


def test_head_is_answered_without_a_body(url: str) -> None:
    said = say(url, b"HEAD /echo/a HTTP/1.1\r\n" + HOST + b"\r\n", LAST)
    head, last = answers(said, "HEAD")
    assert (head.status, head.body, last.json()) == (200, b"", ALIVE)
    assert int(head.headers["content-length"]) > 0


def test_nothing_is_answered_after_the_last_request(url: str) -> None:
    assert len(answers(say(url, LAST + LAST))) == 1


WAIT = b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        [WAIT],
        [WAIT + GET + HOST + b"\r\n"],
        [WAIT, GET + HOST + b"\r\n"],
        [WAIT, POST + HOST + b"content-length: 9\r\n\r\nabc", b"def"],
    ],
)
def test_a_request_learns_that_its_caller_has_gone_also_with_another_behind_it(
    url: str, parts: Sequence[bytes]
) -> None:
    before = len(httpx.get(f"{url}/left").json())
    with connect(url) as raw:
        for part in parts:
            raw.sendall(part)
            for _ in range(3):  # The loop of the service has read the part before these.
                assert httpx.get(f"{url}/livez").json() == ALIVE
    eventually(lambda: len(httpx.get(f"{url}/left").json()) > before)


@pytest.fixture(scope="module")
def impatient() -> Iterator[str]:
    with small_service(SMALL_HEAD_SECONDS="0.5") as (_, url):
        yield url


@pytest.mark.parametrize(
    ("parts", "statuses"),
    [
        ([b""], []),
        ([b"GET /echo/\xe6"], []),
        ([b"\r\n"], []),
        ([GET, HOST], []),
        ([GET + HOST + b"\r\n", b"GET /"], [200]),
        ([b"GET /slow?seconds=1 HTTP/1.1\r\n" + HOST + b"\r\n" + GET], [200]),
        ([b"GET /slow?seconds=1 HTTP/1.1\r\n" + HOST + b"\r\n", GET], [200]),
        ([b"POST /unread HTTP/1.1\r\n" + HOST + b"content-length: 1\r\n\r\n", b"aGET"], [200]),
    ],
)
def test_a_head_that_takes_too_long_ends_the_connection(
    impatient: str, parts: Sequence[bytes], statuses: list[int]
) -> None:
    """`say` returns only because the service closes the connection, and waits 30 seconds."""
    assert [answer.status for answer in answers(say(impatient, *parts))] == statuses


def test_a_blank_line_behind_an_answer_begins_a_head(impatient: str) -> None:
    with connect(impatient) as raw:
        raw.sendall(GET + HOST + b"\r\n")
        said = raw.recv(65_536)  # In one packet with the request the line would belong to it.
        raw.sendall(b"\r\n")
        said += b"".join(iter(lambda: raw.recv(65_536), b""))
    assert [answer.status for answer in answers(said)] == [200]


@pytest.mark.parametrize("before", [b"", GET + HOST + b"\r\n"])
def test_a_fault_cuts_no_answer_that_takes_longer_than_a_head_may(
    impatient: str, before: bytes
) -> None:
    slow = b" /slow?seconds=1 HTTP/1.1\r\n" + HOST + b"\r\nNONSENSE\r\n\r\n"
    *_, answer, refused = answers(say(impatient, before + b"GET", slow))
    assert (answer.status, refused.status) == (200, 400)


def test_only_heads_have_to_be_quick(impatient: str) -> None:
    with connect(impatient) as raw:
        raw.sendall(POST + HOST + b"content-length: 2\r\n\r\na")
        time.sleep(1)
        raw.sendall(b"b")
        said = raw.recv(65_536)
        time.sleep(1)  # A connection may be idle for longer than a head may take.
        raw.sendall(LAST)
        said += b"".join(iter(lambda: raw.recv(65_536), b""))
    assert [answer.status for answer in answers(said)] == [200, 200]
