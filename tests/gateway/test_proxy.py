"""Streams that the gateway passes on from another service."""

import asyncio
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Response
from starlette.types import Message

from services.common.calls.client import ServiceClient
from services.common.errors import ServiceUnavailable
from services.common.server.problem import install_problem_handlers
from services.common.wire.query_rules import QueryRulesUpdate
from services.gateway.indexing.proxy import follow
from services.gateway.indexing.query_rules import put_query_rules
from tests.common.raw_server import server

EVENTS = (b"data: 1\n\n", b"data: 2\n\n")


def following(
    upstream: httpx.AsyncByteStream, streams: int = 64, *, stops: bool = False
) -> FastAPI:
    """An application that passes the answer of one other service on, to so many callers at once."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=upstream, headers={"content-type": "text/event-stream"})

    app = FastAPI()
    install_problem_handlers(app)
    client = ServiceClient(
        "indexer",
        "http://indexer",
        timeout=5,
        streams=streams,
        transport=httpx.MockTransport(answer),
    )

    @app.get("/events")
    async def events() -> Response:
        return await follow(client, "/events", stops=lambda: stops)

    return app


class Events(httpx.AsyncByteStream):
    """The events of a job; the last one does not come while `held` is set."""

    def __init__(self, *, held: bool = False) -> None:
        self.held = held
        self.closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield EVENTS[0]
        if self.held:
            await asyncio.Event().wait()
        yield EVENTS[1]

    async def aclose(self) -> None:
        self.closed.set()


async def test_a_stream_ends_early_when_the_service_stops() -> None:
    """Else it would hold up the end of the gateway until the time for draining is over."""
    upstream = Events(held=True)
    way = httpx.ASGITransport(following(upstream, stops=True))
    async with httpx.AsyncClient(transport=way, base_url="http://gateway") as http:
        answer = await asyncio.wait_for(http.get("/events"), 5)
    assert answer.content == EVENTS[0]
    assert upstream.closed.is_set()


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_stream_is_passed_on_and_logs_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    upstream = Events()
    transport = httpx.ASGITransport(app=following(upstream))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        answer = await http.get("/events")
    assert answer.content == b"".join(EVENTS)
    assert upstream.closed.is_set()
    assert failures(caplog) == []


class Caller:
    """A caller of /events, who stays until `gone` is set."""

    def __init__(self) -> None:
        self.begun, self.gone = asyncio.Event(), asyncio.Event()
        self.status = 0
        self.headers: dict[bytes, bytes] = {}

    async def call(self, app: FastAPI) -> None:
        scope = {"type": "http", "method": "GET", "path": "/events", "query_string": b""}
        await app({**scope, "headers": []}, self._receive, self._send)

    async def _receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        if message.get("body"):
            self.begun.set()


async def test_a_caller_that_goes_away_closes_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    upstream, caller = Events(held=True), Caller()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(caller.call(following(upstream)))
        await caller.begun.wait()
        caller.gone.set()
    await asyncio.wait_for(upstream.closed.wait(), 5)
    assert failures(caplog) == []


async def test_one_caller_too_many_is_told_when_to_come_again() -> None:
    app, first, second = following(Events(held=True), streams=1), Caller(), Caller()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(first.call(app))
        await first.begun.wait()
        await second.call(app)
        assert (second.status, second.headers[b"retry-after"]) == (503, b"5")
        first.gone.set()


@pytest.mark.parametrize("early", [True, False])
async def test_a_caller_that_went_away_makes_room(early: bool) -> None:
    """Also one that was gone before the head of the answer came."""
    upstream = Events(held=True)
    app = following(upstream, streams=1)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        for _ in range(3):
            upstream.closed.clear()
            caller = Caller()
            if early:
                caller.gone.set()
            tasks.create_task(caller.call(app))
            if not early:
                await caller.begun.wait()
                caller.gone.set()
            await upstream.closed.wait()
            await asyncio.sleep(0)
            assert caller.status != 503


@pytest.mark.parametrize(("version", "sent"), [(None, 2), ("0001", 1)])
async def test_rules_based_on_a_version_are_sent_once(version: str | None, sent: int) -> None:
    """The first attempt may have changed the version; the second would tell of a change by somebody
    else."""
    asked: list[bytes] = []

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with server(drop) as url, ServiceClient("indexer", url, timeout=5) as client:
        with pytest.raises(ServiceUnavailable):
            await put_query_rules("notes", QueryRulesUpdate(version=version), client)
    assert [each.split()[0] for each in asked] == [b"PUT"] * sent
