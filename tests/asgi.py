"""An application called in-process: its lifespan runs, requests cross no socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI


@asynccontextmanager
async def transport_of(app: FastAPI) -> AsyncIterator[httpx.ASGITransport]:
    """The way to an application, for clients of any kind."""
    async with app.router.lifespan_context(app) as opened:
        state = dict(opened or {})

        async def served(scope: Any, receive: Any, send: Any) -> None:
            # A server hands the lifespan's state to each request; httpx's transport does not.
            await app(scope | {"state": dict(state)}, receive, send)

        yield httpx.ASGITransport(app=served)


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        transport_of(app) as transport,
        httpx.AsyncClient(transport=transport, base_url="http://service") as http,
    ):
        yield http
