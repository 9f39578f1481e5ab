"""/mcp: the Model Context Protocol by streamable HTTP, under the keys of the API.

No session is kept: any replica can answer each request. A tool calls the routes of this application
as its caller would, through all layers, so that a key may do through a tool exactly what it may do
through the API. A call of a tool therefore counts as two requests of its key.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import APIRouter, HTTPException, Request, Response
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from services.common.agents import ApiRefused, agent_server
from services.common.problem import MEDIA_TYPE
from services.common.request_context import REQUEST_ID_HEADER, request_id_var

router = APIRouter(tags=["agents"])


@dataclass(frozen=True, slots=True)
class _Call:
    """The HTTP request in which a tool is called."""

    scope: Scope


_call_var: ContextVar[_Call] = ContextVar("xunwen_agent_call")


class OwnRoutes:
    """The routes of this application, called on behalf of a tool's caller."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer of a route. Raises ApiRefused with the detail of the route's problem."""
        outer = _call_var.get().scope
        state = outer["app_state"]

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            # A server gives the state of the lifespan to each request; httpx's transport does not.
            await self._app({**scope, "state": dict(state)}, receive, send)

        headers = {REQUEST_ID_HEADER: request_id_var.get()}
        for name, value in outer["headers"]:
            if name == b"authorization":
                headers["authorization"] = value.decode("latin-1")
        transport = httpx.ASGITransport(app=served, client=outer.get("client") or ("-", 0))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            response = await http.request(method, path, json=json, params=params, headers=headers)
        if not response.is_success:
            raise ApiRefused(str(response.json()["detail"]))
        is_json = response.headers["content-type"].startswith("application/json")
        return response.json() if is_json else response.text


@dataclass(frozen=True, slots=True)
class AgentDoor:
    """The application that answers at /mcp."""

    manager: StreamableHTTPSessionManager
    state: Mapping[str, Any]
    """The resources that the lifespan opened, for the routes that tools call."""


@asynccontextmanager
async def agent_door(app: ASGIApp, state: Mapping[str, Any]) -> AsyncIterator[AgentDoor]:
    """The MCP application over the routes of `app`; it is closed with the context."""
    server = agent_server(OwnRoutes(app))
    server.streamable_http_app(
        stateless_http=True,
        json_response=True,
        # API keys protect this path, and a gateway is reached under several host names.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    async with server.session_manager.run():
        yield AgentDoor(server.session_manager, state)


class _McpResponse(Response):
    """A response that another application writes."""

    def __init__(self, door: AgentDoor) -> None:
        super().__init__()
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = {**scope, "app_state": self._door.state}
        token = _call_var.set(_Call(scope))
        try:
            await self._door.manager.handle_request(scope, receive, send)
        finally:
            _call_var.reset(token)


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "A JSON-RPC answer", "content": {"application/json": {}}},
    202: {"description": "A notification was accepted"},
    "4XX": {
        "description": "The message does not belong to the protocol, or the gateway refused it",
        "content": {"application/json": {}, MEDIA_TYPE: {}},
    },
}


@router.post(
    "/mcp", response_class=Response, responses=_ANSWERS, summary="Model Context Protocol for agents"
)
async def mcp(request: Request) -> Response:
    """Answers JSON-RPC messages of the protocol by streamable HTTP."""
    return _McpResponse(request.state.agents)


@router.get("/mcp", response_class=Response, summary="Answers 405: no session is kept")
async def mcp_stream() -> Response:
    """Says, as the protocol asks for it, that there is no stream of events to follow."""
    raise _not_kept()


@router.delete("/mcp", response_class=Response, summary="Answers 405: no session is kept")
async def mcp_end() -> Response:
    """Says, as the protocol asks for it, that there is no session to end."""
    raise _not_kept()


def _not_kept() -> HTTPException:
    return HTTPException(
        405, "No session is kept here: send each message by POST.", headers={"Allow": "POST"}
    )
