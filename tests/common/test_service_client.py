"""Every way a call to another service can end, against real sockets."""

import asyncio
import socket

import pytest
from pydantic import BaseModel

from services.common.breaker import CircuitBreaker
from services.common.errors import CollectionNotFound, DeadlineExceeded, ServiceUnavailable
from services.common.request_context import Deadline
from services.common.service_client import ServiceClient
from tests.common.raw_server import answering, server


class Answer(BaseModel):
    value: int


async def test_answer_is_read() -> None:
    async with (
        server(answering("200 OK", b'{"value": 7}')) as url,
        ServiceClient("recall", url, timeout=2) as client,
    ):
        assert (await client.ask("GET", "/x", Answer)).value == 7


async def test_reported_problem_comes_back_as_its_class() -> None:
    body = b'{"code": "collection_not_found", "detail": "No collection named x."}'
    async with (
        server(answering("404 Not Found", body, "application/problem+json")) as url,
        ServiceClient("recall", url, timeout=2) as client,
    ):
        with pytest.raises(CollectionNotFound, match="No collection named x"):
            await client.ask("GET", "/x", Answer)
        assert not client.breaker.open


READY = b'{"checks": {"milvus": {"ok": true}}, "value": 1}'


async def test_a_service_that_says_it_is_ready_again_is_called_at_once() -> None:
    """Killed and started again, it may not be refused for the rest of the breaker's pause."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    breaker = CircuitBreaker(failures=3, rest_seconds=3600)
    async with ServiceClient("recall", f"http://127.0.0.1:{port}", timeout=2) as client:
        client.breaker = breaker
        for _ in range(3):
            with pytest.raises(ServiceUnavailable):
                await client.ask("GET", "/x", Answer, idempotent=False)
        assert breaker.open
        running = await asyncio.start_server(answering("200 OK", READY), "127.0.0.1", port)
        async with running:
            await client.check()
            assert (await client.ask("GET", "/x", Answer)).value == 1


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
    breaker = CircuitBreaker(failures=2, rest_seconds=0.05)
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
            await asyncio.sleep(0.06)
            assert (await client.ask("GET", "/x", Answer)).value == 1
        assert not breaker.open


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
