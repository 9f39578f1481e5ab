"""Wakes the tasks that wait for a change of any job."""

import asyncio
import contextlib


class Changes:
    """The moments at which a job changes, for the tasks of one event loop."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Wakes all tasks that wait for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def next(self, seconds: float) -> None:
        """Returns at the next change, or after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
