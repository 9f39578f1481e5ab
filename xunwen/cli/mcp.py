"""The command `xunwen mcp`: the tools for agents on standard input and output."""

import signal
from collections.abc import Mapping
from typing import Any

import anyio
import httpx
import typer

from services.common.agents import FOREIGN, ApiRefused, agent_server
from services.common.citations.forms import CitationForm
from xunwen.cli.context import connection_of, local_url
from xunwen.client import exchange
from xunwen.client.errors import ApiError

app = typer.Typer(add_completion=False)

_CITATIONS = tuple(form.media_type for form in CitationForm)


class Gateway:
    """The REST API of a gateway, as the tools need it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer of a route. Raises ApiRefused, also if the gateway does not answer."""
        try:
            response = await self._http.request(method, path, json=json, params=params)
        except httpx.HTTPError as error:
            failed = exchange.connection_failed(self._http.base_url, error)
            raise ApiRefused(str(failed)) from error
        if not response.is_success:
            raise ApiRefused(ApiError.of(response).detail)
        if response.headers.get("content-type", "").startswith(_CITATIONS):
            return response.text
        try:
            return response.json()
        except ValueError as error:
            raise ApiRefused(FOREIGN) from error


@app.command()
def mcp(ctx: typer.Context) -> None:
    """Serve tools for agents (Model Context Protocol) on standard input and output.

    A client such as Claude Desktop or Cursor starts it; --url and --api-key, or XUNWEN_URL and
    XUNWEN_API_KEY, name the gateway. Over HTTP the gateway serves the same tools at /mcp.
    """
    connection = connection_of(ctx)
    url = connection.url or local_url()
    http = exchange.opened(httpx.AsyncClient, url, connection.api_key, connection.timeout)

    async def serve() -> None:
        async with http:
            await agent_server(Gateway(http)).run_stdio_async()

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # No exception ends the thread that waits for the next line of standard input.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        anyio.run(serve)
    except* ConnectionError:
        pass  # The client has closed its end, as it does when it ends.
