"""Vectors and relevance of many texts while the models are busy with other calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import orjson
import pytest
from starlette.types import Receive, Scope, Send

from services.common.calls.client import ServiceClient
from services.common.errors import DeadlineExceeded, Overloaded
from services.common.request_context import Deadline
from services.common.server.problem import problem_response
from services.common.wire.encode import EncodeRequest, EncodeResponse
from services.gateway.app import create_app
from services.gateway.compatible.busy import ModelCalls
from services.gateway.settings import GatewaySettings
from tests.common.raw_server import server
from tests.compatible.refusals import refused

VECTORS = {"dimension": 1, "vectors": "AAAAAAAAAAA=", "encoder": "e", "tokens": 2}
SCORES = {"scores": [0.5, 0.5], "ranker": "r", "tokens": 2}
APP = create_app(GatewaySettings())
CALLS = {
    "/v1/embeddings": {"input": ["水稻" * 500] * 4},
    "/v1/rerank": {"query": "水稻", "documents": ["水稻" * 500] * 4},
}


class Held:
    """A service whose model computes nothing until the test lets it, but answers searches."""

    def __init__(self) -> None:
        self.asked = 0
        self.free = asyncio.Event()
        self._arrived = asyncio.Semaphore(0)

    async def arrivals(self, count: int) -> None:
        """Waits for that many further calls of the model."""
        async with asyncio.timeout(30):
            for _ in range(count):
                await self._arrived.acquire()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(head.partition("content-length: ")[2].split()[0]))
                body = b"{}"
                if not head.startswith("post /search"):
                    self.asked += 1
                    self._arrived.release()
                    await self.free.wait()
                    body = orjson.dumps(VECTORS if "/encode" in head else SCORES)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


class Model:
    """A service whose model is not reached in time, as often as the test says."""

    def __init__(self, late: int) -> None:
        self.late = late
        self.asked = 0

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.late:
            self.late -= 1
            told = problem_response(DeadlineExceeded("The model was not reached in the budget."))
            return httpx.Response(told.status_code, headers=told.headers, content=bytes(told.body))
        return httpx.Response(200, json=VECTORS if "encode" in str(request.url) else SCORES)


@asynccontextmanager
async def gateway(service: ServiceClient) -> AsyncIterator[httpx.AsyncClient]:
    calls = ModelCalls(service)
    state = {"doorkeeper": None, "encoding": calls, "reranking": calls}

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await APP({**scope, "state": state}, receive, send)

    way = httpx.ASGITransport(served)
    async with httpx.AsyncClient(transport=way, base_url="http://gateway") as http:
        yield http


@asynccontextmanager
async def gateway_of(model: Model) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.MockTransport(model.answer)
    async with (
        ServiceClient("model", "http://a", timeout=5, transport=transport) as service,
        gateway(service) as http,
    ):
        yield http


@pytest.mark.parametrize("path", CALLS)
async def test_a_portion_that_came_too_late_is_asked_again(path: str) -> None:
    """Else minutes of work on the portions before it would be lost."""
    model = Model(late=2)
    async with gateway_of(model) as http:
        answer = await http.post(path, json=CALLS[path])
    assert answer.status_code == 200, answer.text
    assert model.asked == 4


@pytest.mark.parametrize("path", CALLS)
async def test_a_call_is_refused_if_the_model_stays_busy(path: str) -> None:
    model = Model(late=99)
    async with gateway_of(model) as http:
        answer = await http.post(path, json=CALLS[path])
    detail = refused(answer, 503)
    assert answer.json()["code"] == "overloaded"
    assert int(answer.headers["retry-after"]) >= 1
    assert "fewer texts" in detail
    assert "budget" not in detail
    assert model.asked == 3


@pytest.mark.parametrize("path", CALLS)
async def test_calls_of_many_texts_leave_connections_to_searches(path: str) -> None:
    """A search without one would be late, and count as one that the service did not answer."""
    model = Held()
    async with (
        server(model) as url,
        ServiceClient("model", url, timeout=20, connections=4) as service,
        gateway(service) as http,
    ):
        calls = [asyncio.create_task(http.post(path, json=CALLS[path])) for _ in range(9)]
        await model.arrivals(2)
        for _ in range(3):
            await service.send("POST", "/search", content=b"{}", deadline=Deadline.after(10))
        assert model.asked == 2
        model.free.set()
        answers = await asyncio.gather(*calls)
    assert [answer.status_code for answer in answers] == [200] * 9


async def test_a_call_that_gets_no_turn_is_refused() -> None:
    model = Held()
    body = EncodeRequest(texts=["水稻"], kind="document")
    async with (
        server(model) as url,
        ServiceClient("model", url, timeout=20, connections=2) as service,
    ):
        calls = ModelCalls(service, patience=0.05)
        first = asyncio.create_task(calls.answer("/encode", EncodeResponse, body))
        await model.arrivals(1)
        with pytest.raises(Overloaded, match="fewer texts"):
            await calls.answer("/encode", EncodeResponse, body)
        model.free.set()
        assert (await first).tokens == 2
        assert (await calls.answer("/encode", EncodeResponse, body)).tokens == 2
