"""Ends tasks of the event loop."""

import asyncio
from collections.abc import Iterable
from typing import Any

_AGAIN_SECONDS = 1.0
"""Seconds that a task has to end before it is cancelled again."""


async def ended(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancels tasks until they have ended; what they return or raise is dropped.

    A single cancellation may be lost, and of a task that sends to Redis all the time one in three
    is: `asyncio.wait_for` of Python 3.11, through which redis-py sends, returns the result instead
    if that comes at the same moment.
    """
    every = set(tasks)
    while pending := {task for task in every if not task.done()}:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
    await asyncio.gather(*every, return_exceptions=True)  # Otherwise Python warns of their errors.
