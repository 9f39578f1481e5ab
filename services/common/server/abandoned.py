"""Cancels the work of a request whose caller has closed the connection."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.server.replay import replay

CLIENT_CLOSED = 499
"""The status that nginx logs for such requests; nobody receives it."""


class DropAbandoned:
    """A middleware that cancels the route when the connection ends before the response.

    It suits services whose routes only compute, since work that is cancelled half-way must leave
    nothing half-done. It reads the whole body first, so the callers must be our own services.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = await _whole(receive)
        if body is None:
            await _note(send)
            return
        gone = asyncio.create_task(_disconnected(receive))
        receive_again = replay(body, lambda: asyncio.shield(gone))
        work = asyncio.ensure_future(self.app(scope, receive_again, send))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
            if work.cancelled():
                await _note(send)
            else:
                work.result()
        finally:
            gone.cancel()
            work.cancel()


async def _whole(receive: Receive) -> bytes | None:
    """The whole body, or None if the connection ended before the body did."""
    blocks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        blocks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(blocks)


async def _disconnected(receive: Receive) -> Message:
    while (message := await receive())["type"] != "http.disconnect":
        pass
    return message


async def _note(send: Send) -> None:
    await send({"type": "http.response.start", "status": CLIENT_CLOSED, "headers": []})
    await send({"type": "http.response.body", "body": b""})
