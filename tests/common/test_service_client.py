"""Every way a call to another service can end, against real sockets."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, nullcontext

import httpx
import pytest
import uvloop
from pydantic import BaseModel

from services.common.calls.breaker import CircuitBreaker
from services.common.calls.client import ServiceClient
from services.common.errors import (
    PROBLEM_TYPE,
    CollectionNotFound,
    DeadlineExceeded,
    InvalidRequest,
    JobNotFound,
    Overloaded,
    SearchError,
    ServiceUnavailable,
)
from services.common.request_context import Deadline
from tests.common.raw_server import answering, server


class Answer(BaseModel):
    value: int


class Clock:
    """The clock of a breaker, which goes on when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_answer_is_read() -> None:
    async with (
        server(answering("200 OK", b'{"value": 7}')) as url,
        ServiceClient("recall", url, timeout=2) as client,
    ):
        assert (await client.ask("GET", "/x", Answer)).value == 7


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"value": null}', b'{"value": "\xff"}'])
async def test_an_answer_of_another_form_is_told_as_an_absence(body: bytes) -> None:
    """As a proxy gives it, or a service of another release."""
    async with (
        server(answering("200 OK", body)) as url,
        ServiceClient("recall", url, timeout=2) as client,
    ):
        with pytest.raises(ServiceUnavailable, match="recall service gave no readable answer"):
            await client.ask("GET", "/x", Answer)


async def test_reported_problem_comes_back_as_its_class() -> None:
    body = b'{"code": "collection_not_found", "detail": "No collection named x."}'
    async with (
        server(answering("404 Not Found", body, "application/problem+json")) as url,
        ServiceClient("recall", url, timeout=2) as client,
    ):
        with pytest.raises(CollectionNotFound, match="No collection named x"):
            await client.ask("GET", "/x", Answer)
        assert not client.breaker.open


async def ask(client: ServiceClient) -> None:
    await client.ask("GET", "/x", Answer)


async def stream(client: ServiceClient) -> None:
    async with client.stream("GET", "/x") as response:
        await response.aread()


Call = Callable[[ServiceClient], Awaitable[None]]
CALLS = pytest.mark.parametrize("call", [ask, stream])
READY = b'{"checks": {"milvus": {"ok": true}}, "value": 1}'


@CALLS
async def test_a_service_that_says_it_is_ready_again_is_called_at_once(call: Call) -> None:
    """Killed and started again, it may not be refused for the rest of the breaker's pause."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    breaker = CircuitBreaker(failures=3, rest_seconds=3600)
    async with ServiceClient("recall", f"http://127.0.0.1:{port}", timeout=2) as client:
        client.breaker = breaker
        for _ in range(3):
            with pytest.raises(ServiceUnavailable):
                await call(client)
        assert breaker.open
        running = await asyncio.start_server(answering("200 OK", READY), "127.0.0.1", port)
        async with running:
            await client.check()
            await call(client)


def test_a_service_that_hangs_is_not_called_again_because_it_says_it_is_ready() -> None:
    breaker = CircuitBreaker(failures=2, rest_seconds=3600)
    breaker.failed(broken=True)
    breaker.failed()
    breaker.ready()
    assert breaker.open


def test_a_service_that_hung_and_was_killed_then_is_called_at_once() -> None:
    """As a liveness probe kills it, while searches go on."""
    breaker = CircuitBreaker(failures=2, rest_seconds=3600)
    breaker.failed()
    breaker.failed()
    breaker.failed(broken=True)
    breaker.ready()
    assert not breaker.open


async def test_refused_connections_open_the_breaker_and_a_probe_closes_it() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    clock = Clock()
    breaker = CircuitBreaker(failures=2, rest_seconds=3600, clock=clock)
    async with ServiceClient(
        "rank", f"http://127.0.0.1:{port}", timeout=2, breaker=breaker
    ) as client:
        with pytest.raises(ServiceUnavailable):
            await client.ask("GET", "/x", Answer)
        assert breaker.open
        handler = answering("200 OK", b'{"value": 1}')
        running = await asyncio.start_server(handler, "127.0.0.1", port)
        async with running:
            with pytest.raises(ServiceUnavailable):
                await client.ask("GET", "/x", Answer)
            clock.now += 3601
            assert (await client.ask("GET", "/x", Answer)).value == 1
        assert not breaker.open


def problem(code: str) -> bytes:
    return b'{"code": "%b", "detail": "What the service says."}' % code.encode()


@CALLS
@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        ("502 Bad Gateway", "text/html", b"<h1>502 Bad Gateway</h1>"),
        ("503 Service Unavailable", "text/plain", b"no healthy upstream"),
        ("503 Service Unavailable", "application/json", b'{"message": "no upstream"}'),
        ("504 Gateway Timeout", "text/html", b"<h1>504 Gateway Time-out</h1>"),
    ],
)
async def test_a_service_that_a_proxy_does_not_reach_is_not_called_for_a_while(
    call: Call, status: str, kind: str, body: bytes
) -> None:
    breaker = CircuitBreaker(failures=3, rest_seconds=3600)
    async with (
        server(answering(status, body, kind)) as url,
        ServiceClient("recall", url, timeout=2, breaker=breaker) as client,
    ):
        for _ in range(3):
            with pytest.raises(ServiceUnavailable, match="The recall service does not answer"):
                await call(client)
        assert breaker.open


@CALLS
@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("401 Unauthorized", "unauthenticated"),
        ("404 Not Found", "collection_not_found"),
        ("500 Internal Server Error", "internal"),
        ("503 Service Unavailable", "overloaded"),
        ("503 Service Unavailable", "index_unavailable"),
        ("503 Service Unavailable", "service_unavailable"),
        ("503 Service Unavailable", "invented_by_a_later_release"),
        ("504 Gateway Timeout", "deadline_exceeded"),
    ],
)
async def test_a_service_that_says_what_it_lacks_is_called_on(
    call: Call, status: str, code: str
) -> None:
    """Other calls of it may succeed, and its own words say more than that it does not answer."""
    breaker = CircuitBreaker(failures=2, rest_seconds=3600)
    breaker.failed()
    async with (
        server(answering(status, problem(code), PROBLEM_TYPE)) as url,
        ServiceClient("indexer", url, timeout=2, breaker=breaker) as client,
    ):
        for _ in range(3):
            with pytest.raises(SearchError) as refused:
                await call(client)
            assert "does not answer" not in refused.value.detail
        assert not breaker.open
        breaker.failed()
        assert not breaker.open  # The failure before was forgotten.


async def test_a_call_that_is_not_sent_says_nothing_of_the_service() -> None:
    clock = Clock()
    breaker = CircuitBreaker(failures=1, rest_seconds=2, clock=clock)
    async with ServiceClient("indexer", "http://127.0.0.1:1", timeout=2, breaker=breaker) as client:
        breaker.failed()
        clock.now += 3
        with pytest.raises(InvalidRequest):
            await client.send("GET", "/a/../b")
        assert breaker.open


async def test_a_lost_connection_is_tried_once_more_only_if_idempotent() -> None:
    calls = 0

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with server(drop) as url, ServiceClient("rank", url, timeout=2) as client:
        with pytest.raises(ServiceUnavailable):
            await client.ask("POST", "/x", Answer, idempotent=False)
        assert calls == 1
        with pytest.raises(ServiceUnavailable):
            await client.ask("GET", "/x", Answer)
        assert calls == 3


async def test_a_budget_that_runs_out_is_not_the_callees_failure() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    breaker = CircuitBreaker(failures=1)
    async with (
        server(hang) as url,
        ServiceClient("rank", url, timeout=5, breaker=breaker) as client,
    ):
        with pytest.raises(DeadlineExceeded):
            await client.ask("GET", "/x", Answer, deadline=Deadline.after(0.05))
        assert not breaker.open


def test_a_timer_that_ends_early_is_the_budget_too() -> None:
    """uvloop counts whole milliseconds, and may be nearly half of one early."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def asked() -> None:
        breaker = CircuitBreaker(failures=1)
        async with (
            server(hang) as url,
            ServiceClient("rank", url, timeout=5, breaker=breaker) as client,
        ):
            for _ in range(50):
                with pytest.raises(DeadlineExceeded):
                    await client.ask("GET", "/x", Answer, deadline=Deadline.after(0.0104))
            assert not breaker.open

    uvloop.run(asked())


async def test_retries_are_a_share_of_the_calls() -> None:
    calls = 0

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    never_open = CircuitBreaker(failures=10_000)
    async with (
        server(drop) as url,
        ServiceClient("rank", url, timeout=5, breaker=never_open) as client,
    ):
        for _ in range(100):
            with pytest.raises(ServiceUnavailable):
                await client.ask("GET", "/x", Answer)
    assert 100 < calls <= 100 + 10 + 10  # what was saved, and a tenth


async def test_a_service_that_refuses_us_is_not_our_callers_fault() -> None:
    body = b'{"code": "unauthenticated", "detail": "This service answers internal calls only."}'
    async with (
        server(answering("401 Unauthorized", body)) as url,
        ServiceClient("rank", url, timeout=2) as client,
    ):
        with pytest.raises(ServiceUnavailable, match="INTERNAL_TOKEN"):
            await client.ask("GET", "/x", Answer)


STREAMS = 3
_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n"


class Streaming:
    """A server whose streams last until the caller leaves, or end as their path says."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """The path of each request."""
        self.arrived = asyncio.Event()
        """Set by the first request."""
        self.uploads = asyncio.Semaphore(0)
        """Released by each upload that begins."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
                self.asked.append(path)
                self.arrived.set()
                if path == "/held":
                    writer.write(_CHUNKED)
                    await reader.read(-1)
                    return
                if path == "/broken":
                    writer.write(_CHUNKED)
                    return
                if path == "/upload":
                    self.uploads.release()
                    await reader.readuntil(b"0\r\n\r\n")
                if path == "/short":
                    writer.write(_CHUNKED + b"0\r\n\r\n")
                elif path == "/refused":
                    body = b'{"code": "job_not_found", "detail": "There is no such job."}'
                    head = f"HTTP/1.1 404 Not Found\r\ncontent-length: {len(body)}\r\n\r\n"
                    writer.write(head.encode() + body)
                else:
                    writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{"value": 7}')
        except (asyncio.IncompleteReadError, ConnectionError):
            return


async def hold(stack: AsyncExitStack, client: ServiceClient, count: int) -> None:
    """Opens streams that last as long as the stack."""
    for _ in range(count):
        await stack.enter_async_context(client.stream("GET", "/held"))


async def test_streams_that_last_leave_room_for_calls() -> None:
    async with (
        server(Streaming()) as url,
        ServiceClient("indexer", url, timeout=2, connections=1, streams=STREAMS) as client,
        AsyncExitStack() as stack,
    ):
        await hold(stack, client, STREAMS)
        for _ in range(3):
            assert (await client.ask("GET", "/x", Answer)).value == 7


async def test_as_many_streams_as_a_gateway_holds_leave_room_for_calls() -> None:
    async with (
        server(Streaming()) as url,
        ServiceClient("indexer", url, timeout=2) as client,
        AsyncExitStack() as stack,
    ):
        await hold(stack, client, 64)
        assert (await client.ask("GET", "/x", Answer)).value == 7


async def test_a_stream_too_many_is_refused_at_once() -> None:
    service = Streaming()
    breaker = CircuitBreaker(failures=1)
    async with (
        server(service) as url,
        ServiceClient("indexer", url, timeout=2, streams=STREAMS, breaker=breaker) as client,
        AsyncExitStack() as stack,
    ):
        await hold(stack, client, STREAMS)
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises(Overloaded, match="3 followed jobs") as full:
                await hold(stack, client, 1)
        assert time.monotonic() - began < 1
        assert full.value.retry_after is not None
        assert len(service.asked) == STREAMS
        assert not breaker.open


async def read(client: ServiceClient, path: str) -> None:
    async with client.stream("GET", path) as response:
        await response.aread()


async def leave(client: ServiceClient, path: str) -> None:
    async with client.stream("GET", path):
        pass


async def wait_too_long(client: ServiceClient, path: str) -> None:
    async with asyncio.timeout(0.05):
        await read(client, path)


@pytest.mark.parametrize(
    ("end", "path", "error"),
    [
        pytest.param(read, "/short", None, id="read to its end"),
        pytest.param(leave, "/held", None, id="left"),
        pytest.param(wait_too_long, "/held", TimeoutError, id="cancelled"),
        pytest.param(read, "/broken", ServiceUnavailable, id="broken"),
        pytest.param(read, "/refused", JobNotFound, id="refused by the service"),
        pytest.param(read, "/a/../b", InvalidRequest, id="not sent"),
    ],
)
async def test_a_stream_that_ended_makes_room(
    end: Callable[[ServiceClient, str], Awaitable[None]],
    path: str,
    error: type[Exception] | None,
) -> None:
    async with (
        server(Streaming()) as url,
        ServiceClient("indexer", url, timeout=2, streams=STREAMS) as client,
        AsyncExitStack() as stack,
    ):
        for _ in range(STREAMS + 1):
            with pytest.raises(error) if error else nullcontext():
                await end(client, path)
        await hold(stack, client, STREAMS)
        with pytest.raises(Overloaded):
            await hold(stack, client, 1)


async def test_answers_that_last_leave_room_for_uploads_and_the_other_way_round() -> None:
    service = Streaming()
    ended = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"x"
        await ended.wait()

    async def upload(client: ServiceClient) -> httpx.Response:
        async with client.stream("POST", "/upload", content=body()) as response:
            await response.aread()
            return response

    async with (
        server(service) as url,
        ServiceClient("indexer", url, timeout=2, streams=STREAMS) as client,
        AsyncExitStack() as stack,
    ):
        uploads = [asyncio.create_task(upload(client)) for _ in range(STREAMS)]
        for _ in uploads:
            await service.uploads.acquire()
        with pytest.raises(Overloaded, match="receives 3 uploads already"):
            await upload(client)
        await hold(stack, client, STREAMS)
        assert (await client.ask("GET", "/x", Answer)).value == 7
        ended.set()
        assert [response.status_code for response in await asyncio.gather(*uploads)] == [200] * 3


@pytest.mark.parametrize("upload", [False, True])
async def test_a_stream_is_no_probe_of_a_breaker(upload: bool) -> None:
    """Calls would be refused as long as the stream lasts, while the service answers."""
    service, ended = Streaming(), asyncio.Event()
    clock = Clock()
    breaker = CircuitBreaker(failures=1, rest_seconds=3600, clock=clock)

    async def body() -> AsyncIterator[bytes]:
        yield b"x"
        await ended.wait()

    async def stream(client: ServiceClient) -> None:
        content = body() if upload else None
        async with client.stream("POST", "/upload" if upload else "/held", content=content):
            await ended.wait()

    async with (
        server(service) as url,
        ServiceClient("indexer", url, timeout=2, breaker=breaker) as client,
    ):
        breaker.failed()
        with pytest.raises(ServiceUnavailable):
            await stream(client)
        clock.now += 3601
        lasting = asyncio.create_task(stream(client))
        async with asyncio.timeout(30):
            await service.arrived.wait()
        assert not lasting.done()
        assert breaker.open
        assert (await client.ask("GET", "/x", Answer)).value == 7
        assert not breaker.open
        ended.set()
        await lasting
