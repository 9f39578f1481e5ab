"""A task that shows whether a call lets others through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Turns:
    """Counts the turns of another task of the event loop."""

    taken: int = 0

    async def take(self) -> None:
        """Takes turns a millisecond apart, without end."""
        while True:
            await asyncio.sleep(0.001)
            self.taken += 1


@asynccontextmanager
async def turns_beside() -> AsyncIterator[Turns]:
    """The turns that another task takes beside what is awaited inside."""
    turns = Turns()
    task = asyncio.create_task(turns.take())
    try:
        yield turns
    finally:
        task.cancel()
