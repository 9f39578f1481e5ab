"""The server of the Model Context Protocol over the routes of the gateway.

A tool calls the routes of the application as its caller would, through all layers, so that a key
may do through a tool exactly what it may do through the API. Both together are one request of the
key's rate.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import httpx
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from services.common.agents import ApiRefused, agent_server
from services.common.request_context import REQUEST_ID_HEADER, request_id_var

_call_var: ContextVar[Scope] = ContextVar("xunwen_agent_call")
"""The HTTP request in which a tool is called."""


class _OwnRoutes:
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
        outer = _call_var.get()
        state = outer["app_state"]

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            # A server gives the state of the lifespan to each request; httpx's transport does not.
            own = {**state, "counted": True}
            await self._app({**scope, "state": own}, receive, send)

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


class AgentServer:
    """Answers the requests of agents while `manager` runs."""

    def __init__(self, app: ASGIApp) -> None:
        server = agent_server(_OwnRoutes(app))
        server.streamable_http_app(
            stateless_http=True,
            json_response=True,
            # API keys protect this path, and a gateway is reached under several host names.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self.manager: StreamableHTTPSessionManager = server.session_manager

    async def answer(
        self, state: Mapping[str, Any], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answers a request; tools call the routes with what the lifespan opened, `state`."""
        scope = {**scope, "app_state": state}
        token = _call_var.set(scope)
        try:
            await self.manager.handle_request(scope, receive, send)
        finally:
            _call_var.reset(token)
