"""Streams that the gateway passes on from another service."""

import asyncio
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Response
from starlette.types import Message

from services.common.service_client import ServiceClient
from services.gateway.indexing.proxy import follow

EVENTS = (b"data: 1\n\n", b"data: 2\n\n")


def following(upstream: httpx.AsyncByteStream) -> FastAPI:
    """An application that passes the answer of one other service on."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=upstream, headers={"content-type": "text/event-stream"})

    app = FastAPI()

    @app.get("/events")
    async def events() -> Response:
        transport = httpx.MockTransport(answer)
        client = ServiceClient("indexer", "http://indexer", timeout=5, transport=transport)
        return await follow(client, "/events")

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


async def test_a_caller_that_goes_away_closes_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    upstream = Events(held=True)
    begun, gone = asyncio.Event(), asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message.get("body"):
            begun.set()

    scope = {"type": "http", "method": "GET", "path": "/events", "query_string": b"", "headers": []}
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(following(upstream)(scope, receive, send))
        await begun.wait()
        gone.set()
    await asyncio.wait_for(upstream.closed.wait(), 5)
    assert failures(caplog) == []
