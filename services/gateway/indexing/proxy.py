"""Forwards requests to the indexer, and its answers to the caller as they are."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from services.common.calls.client import ServiceClient


async def pass_on(
    client: ServiceClient,
    method: str,
    path: str,
    *,
    body: BaseModel | None = None,
    params: Mapping[str, str] | None = None,
    once: bool = False,
) -> Response:
    """Sends a request and returns the answer. Raises the error that the service reported.

    If the connection breaks, a call that does the same when it comes twice is sent again, unless it
    is to be sent `once`.
    """
    content = None if body is None else body.model_dump_json(exclude_unset=True).encode()
    response = await client.send(
        method,
        path,
        content=content,
        params=params,
        idempotent=not once and method in {"GET", "PUT", "PATCH", "DELETE"},
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
    """Sends a body of any size, which is streamed and never held in memory."""
    async with client.stream(
        "POST", path, content=content, params=params, headers=headers
    ) as response:
        answer = await response.aread()
        return Response(answer, response.status_code, media_type="application/json")


_HANDED_ON = ("content-type", "content-length", "content-disposition", "x-encoder")
"""Headers of a streamed answer that are passed on to the caller."""


def _never() -> bool:
    return False


async def follow(
    client: ServiceClient,
    path: str,
    *,
    params: Mapping[str, str] | None = None,
    stops: Callable[[], bool] = _never,
) -> Response:
    """Forwards a streamed answer as it comes, until `stops` is true after a block of it. Raises the
    error that the service reported."""
    stack = AsyncExitStack()
    response = await stack.enter_async_context(client.stream("GET", path, params=params))

    async def blocks() -> AsyncIterator[bytes]:
        async with stack:
            async for chunk in response.aiter_bytes():
                yield chunk
                if stops():
                    return

    # No cache may keep the stream, and no proxy may hold it back.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    headers |= {name: response.headers[name] for name in _HANDED_ON if name in response.headers}
    return StreamingResponse(blocks(), headers=headers)
