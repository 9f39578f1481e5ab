"""Gives the body of a request, which a middleware has read, to the application after it."""

from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive


def replay(body: bytes, after: Callable[[], Awaitable[Message]]) -> Receive:
    """A Receive callable: its first call gives the whole `body`, further calls those of `after`."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await after()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
