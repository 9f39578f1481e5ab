"""/mcp: the Model Context Protocol by streamable HTTP, under the keys of the API.

No session is kept: any replica can answer each request.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.common.ending import ended
from services.common.errors import PROBLEM_TYPE

if TYPE_CHECKING:
    from services.gateway.agents.server import AgentServer

router = APIRouter(tags=["agents"])


class AgentDoor:
    """The server of agents, made when the first of them asks.

    Its library takes 0.9 s of processor time and 25 MB, which is half of a gateway's start, and
    many gateways are never asked.
    """

    def __init__(self, app: ASGIApp, state: Mapping[str, Any]) -> None:
        self._app = app
        self._state = state
        self._asked = asyncio.Event()
        self._opened: asyncio.Future[AgentServer] = asyncio.get_running_loop().create_future()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request of an agent."""
        self._asked.set()
        server = await asyncio.shield(self._opened)
        await server.answer(self._state, scope, receive, send)

    async def serve(self) -> None:
        """Waits for the first request, and then serves until it is cancelled."""
        await self._asked.wait()
        try:
            server = await asyncio.to_thread(_made, self._app)
            async with server.manager.run():
                self._opened.set_result(server)
                await asyncio.Event().wait()
        except BaseException as error:
            if not self._opened.done():
                self._opened.set_exception(error)
            raise


def _made(app: ASGIApp) -> "AgentServer":
    from services.gateway.agents.server import AgentServer

    return AgentServer(app)


@asynccontextmanager
async def agent_door(app: ASGIApp, state: Mapping[str, Any]) -> AsyncIterator[AgentDoor]:
    """The way of agents to the routes of `app`, closed with the context.

    `state` is what the lifespan opened, for the routes that tools call.
    """
    door = AgentDoor(app, state)
    serving = asyncio.create_task(door.serve())
    try:
        yield door
    finally:
        await ended([serving])


class _McpResponse(Response):
    """A response that another application writes."""

    def __init__(self, door: AgentDoor) -> None:
        super().__init__()
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._door.answer(scope, receive, send)


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "A JSON-RPC answer", "content": {"application/json": {}}},
    202: {"description": "A notification was accepted"},
    "4XX": {
        "description": "The message does not belong to the protocol, or the gateway refused it",
        "content": {"application/json": {}, PROBLEM_TYPE: {}},
    },
}


@router.post(
    "/mcp", response_class=Response, responses=_ANSWERS, summary="Model Context Protocol for agents"
)
async def mcp(request: Request) -> Response:
    """Answers JSON-RPC messages of the protocol by streamable HTTP."""
    return _McpResponse(request.state.agents)


_REFUSED = "No session is kept here: send each message by POST."


@router.get(
    "/mcp",
    status_code=405,
    response_class=Response,
    response_description=_REFUSED,
    summary="Answers 405: no session is kept",
)
async def mcp_stream() -> Response:
    """Says, as the protocol asks for it, that there is no stream of events to follow."""
    raise _not_kept()


@router.delete(
    "/mcp",
    status_code=405,
    response_class=Response,
    response_description=_REFUSED,
    summary="Answers 405: no session is kept",
)
async def mcp_end() -> Response:
    """Says, as the protocol asks for it, that there is no session to end."""
    raise _not_kept()


def _not_kept() -> HTTPException:
    return HTTPException(405, _REFUSED, headers={"Allow": "POST"})
