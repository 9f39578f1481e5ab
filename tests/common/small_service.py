"""A service as small as one can be, run as a process by the tests of connections and tracing."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from pydantic_settings import SettingsConfigDict
from starlette.types import Receive, Scope, Send

from services.common.calls.client import ServiceClient
from services.common.errors import NotFound
from services.common.server.app import create_service_app, serve
from services.common.settings import ServiceSettings, read_settings
from services.common.stopwatch import Stopwatch

router = APIRouter()


class SmallSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="SMALL_", frozen=True)


class Said(BaseModel):
    text: str


@router.get("/slow")
async def slow(seconds: float = 0.02) -> Said:
    await asyncio.sleep(seconds)
    return Said(text="x" * 10_000)


@router.get("/outer")
async def outer(request: Request) -> Said:
    itself: ServiceClient = request.state.itself
    watch = Stopwatch()
    with watch.stage("ask"):
        answer = await itself.ask("GET", "/slow", Said)
    try:
        await itself.ask("GET", "/missing", Said)
    except NotFound:
        return answer
    raise AssertionError("there is no /missing")


class Heard(BaseModel):
    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    body: str


@router.api_route("/echo/{word}", methods=["GET", "HEAD", "POST"])
async def echo(request: Request, word: str) -> Heard:
    return Heard(
        path=word,
        parameters=dict(request.query_params),
        headers=dict(request.headers),
        body=(await request.body()).decode(),
    )


@router.post("/unread")
async def unread() -> Said:
    return Said(text="The body was not read.")


@router.get("/stream")
async def stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        for part in "abc":
            yield part * 5

    return StreamingResponse(parts())


@router.get("/made")
async def made(request: Request) -> int:
    """The number of parts that /large has made so far."""
    return len(request.state.made)


@router.get("/begun")
async def begun() -> StreamingResponse:
    """An answer of which only the head ever comes."""

    async def parts() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield ""

    return StreamingResponse(parts())


@router.get("/large")
async def large(request: Request) -> StreamingResponse:
    """An answer of 40 MB in 1000 parts that waits for nothing but its reader."""

    async def parts() -> AsyncIterator[str]:
        for part in range(1000):
            request.state.made.append(part)
            yield "x" * 40_000

    return StreamingResponse(parts())


class Nothing(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pass


@router.get("/nothing")
async def nothing() -> Response:
    """A route that sends no answer, so that the server has to send one."""
    return Nothing()


@router.get("/wait")
async def wait(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    request.state.left.append("/wait")


@router.get("/polls")
async def polls(request: Request) -> Said:
    """An answer after the service has looked a hundred times whether the caller is still there."""
    for _ in range(100):
        assert not await request.is_disconnected()
        await asyncio.sleep(0.01)
    return Said(text="The caller is there.")


@router.get("/left")
async def left(request: Request) -> list[str]:
    """The paths of the requests whose callers have gone."""
    return list(request.state.left)


def main() -> None:
    settings = read_settings(SmallSettings, "small")

    @asynccontextmanager
    async def lifespan(registry: CollectorRegistry) -> AsyncIterator[Mapping[str, Any]]:
        url = f"http://127.0.0.1:{settings.port}"
        async with ServiceClient("itself", url, timeout=5) as itself:
            yield {"itself": itself, "left": [], "made": []}

    # Requests of tests have parameters of their own.
    app = create_service_app(
        title="small", version="0", routers=[], foreign_routers=[router], lifespan=lifespan
    )
    serve(app, settings, "small")


if __name__ == "__main__":
    main()
