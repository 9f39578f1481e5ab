"""Passing a request on to the indexer and its answer back, as it is."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from services.common.service_client import ServiceClient


def segment(value: str) -> str:
    """A path segment; what the user put into it stays data."""
    return quote(value, safe="")


async def pass_on(
    client: ServiceClient,
    method: str,
    path: str,
    *,
    body: BaseModel | None = None,
    params: Mapping[str, str] | None = None,
) -> Response:
    """Raises what the service reported."""
    content = None if body is None else body.model_dump_json(exclude_unset=True).encode()
    response = await client.send(
        method,
        path,
        content=content,
        params=params,
        idempotent=method in {"GET", "PUT", "DELETE"},
    )
    media_type = response.headers.get("content-type")
    return Response(response.content, status_code=response.status_code, media_type=media_type)


async def upload(
    client: ServiceClient,
    path: str,
    *,
    content: AsyncIterator[bytes],
    params: Mapping[str, str],
    headers: Mapping[str, str],
) -> Response:
    """Streams a body of any size; nothing is held in memory."""
    async with client.stream(
        "POST", path, content=content, params=params, headers=headers
    ) as response:
        answer = await response.aread()
        return Response(answer, response.status_code, media_type="application/json")


async def follow(client: ServiceClient, path: str) -> Response:
    """Passes a stream of events on as it comes. Raises what the service reported."""
    stack = AsyncExitStack()
    response = await stack.enter_async_context(client.stream("GET", path))

    async def events() -> AsyncIterator[bytes]:
        async with stack:
            async for chunk in response.aiter_bytes():
                yield chunk

    # No cache may keep it and no proxy may hold it back.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)
