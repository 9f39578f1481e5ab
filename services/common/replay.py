"""A request's body, read by a layer, for those behind it."""

from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive


def replay(body: bytes, after: Callable[[], Awaitable[Message]]) -> Receive:
    """A Receive that gives a body that was read already, and then what comes `after` it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await after()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
