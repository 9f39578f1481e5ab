"""The scaffold that every service stands on, over real HTTP."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from starlette.types import Message

from services.common.errors import IndexUnavailable
from services.common.request_context import Deadline, deadline_var
from services.common.server.app import create_service_app
from services.common.server.internal_calls import InternalCalls
from services.common.server.listening import bind


class Body(BaseModel):
    size: int


def make_app(internal: InternalCalls | None = None) -> FastAPI:
    router = APIRouter()

    @router.post("/size")
    async def size(body: Body) -> Body:
        return body

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret detail")

    @router.get("/away")
    async def away() -> None:
        raise IndexUnavailable("The index is away.", retry_after=3)

    @router.post("/read")
    async def read(request: Request) -> int:
        return len(await request.body())

    @router.get("/deadline")
    async def deadline() -> float:
        value = deadline_var.get()
        return value.remaining() if value else -1.0

    @asynccontextmanager
    async def lifespan(registry: CollectorRegistry) -> AsyncIterator[Mapping[str, Any]]:
        async def milvus() -> None:
            raise IndexUnavailable("Milvus does not answer.")

        yield {"checks": {"milvus": milvus}}

    return create_service_app(
        title="test", version="0", routers=[router], lifespan=lifespan, internal=internal
    )


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with _client_of(make_app()) as http:
        yield http


@asynccontextmanager
async def _client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as http,
    ):
        yield http


async def test_invalid_body_names_the_field(client: httpx.AsyncClient) -> None:
    answer = await client.post("/size", json={"size": "large"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "invalid_request"
    assert problem["errors"][0]["field"] == "size"


async def test_malformed_json_is_a_400(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/size", content=b'{"size": ', headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


async def test_a_bug_is_a_plain_500_with_the_request_id(client: httpx.AsyncClient) -> None:
    answer = await client.get("/broken", headers={"x-request-id": "abc-1"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "abc-1"


async def test_a_caller_who_goes_within_the_body_is_no_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def unheard(_message: Message) -> None:
        raise AssertionError("nobody is there to be answered")

    app = make_app()
    scope = {"type": "http", "method": "POST", "path": "/read", "query_string": b"", "headers": []}
    async with _client_of(app) as http:
        await app(scope, gone, unheard)
        text = (await http.get("/metrics")).text
    assert 'method="POST",route="/read",status="499"} 1.0' in text
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def test_harmful_request_ids_are_replaced(client: httpx.AsyncClient) -> None:
    answer = await client.get("/livez", headers={"x-request-id": "a b\tc"})
    assert answer.headers["x-request-id"] != "a b\tc"


async def test_unavailable_carries_retry_after(client: httpx.AsyncClient) -> None:
    answer = await client.get("/away")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")


async def test_readyz_names_what_is_away(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    milvus = {"ok": False, "detail": "Milvus does not answer.", "required": True}
    assert answer.json()["checks"]["milvus"] == milvus


async def test_unknown_route_and_method(client: httpx.AsyncClient) -> None:
    assert (await client.get("/nowhere")).json()["code"] == "not_found"
    assert (await client.get("/size")).json()["code"] == "method_not_allowed"
    # A redirect to the path without the slash would answer for another address than was asked.
    assert (await client.post("/size/", json={"size": 1})).json()["code"] == "not_found"


async def test_deadline_travels_as_remaining_time(client: httpx.AsyncClient) -> None:
    left = (await client.get("/deadline", headers={"x-deadline-ms": "500"})).json()
    assert 0 < left <= 0.5
    for unread in ("soon", "-1", "²"):
        headers = [(b"x-deadline-ms", unread.encode("latin-1"))]
        assert (await client.get("/deadline", headers=headers)).json() == -1.0
    far = (await client.get("/deadline", headers={"x-deadline-ms": "9" * 5_000})).json()
    assert far == pytest.approx(3600, abs=60)


async def test_metrics_count_by_route_template(client: httpx.AsyncClient) -> None:
    await client.post("/size", json={"size": 1})
    await client.get("/nowhere/1")
    text = (await client.get("/metrics")).text
    assert 'route="/size",status="200"} 1.0' in text
    assert 'method="any",route="unmatched",status="404"} 1.0' in text


async def test_internal_token_is_needed_when_set() -> None:
    async with _client_of(make_app(InternalCalls("s3cret", "127.0.0.1"))) as http:
        assert (await http.get("/deadline")).status_code == 401
        assert (await http.get("/livez")).status_code == 200
        answer = await http.get("/deadline", headers={"x-internal-token": "s3cret"})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"host": "evil.example:8003", "origin": "http://evil.example:8003"},
    ],
)
async def test_a_service_without_a_token_answers_no_page_in_a_browser(
    headers: dict[str, str],
) -> None:
    """A page that the user of this machine reads could replace a collection, past the gateway."""
    async with _client_of(make_app(InternalCalls(None, "127.0.0.1"))) as http:
        assert (await http.post("/read", content=b"x", headers=headers)).status_code == 401
        assert (await http.post("/read", content=b"x")).status_code == 200
        named = {"host": headers.get("host", "test")}
        assert (await http.get("/deadline", headers=named)).status_code == (
            401 if "host" in headers else 200
        )


def test_deadline_header_never_negative() -> None:
    assert Deadline.after(-1).header() == "0"


async def test_answers_do_not_wait_for_acknowledgements() -> None:
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = bind("127.0.0.1", 0)
    async with await asyncio.start_server(answer, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        assert await asyncio.wait_for(accepted, 5) != 0
        writer.close()
        await writer.wait_closed()


def test_an_address_that_is_taken_is_an_os_error() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            bind("127.0.0.1", taken.getsockname()[1])
