"""Durable writes of the book of jobs: each is made to its end, and none while the jobs are read
back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec

from services.common.errors import Unavailable

_Arguments = ParamSpec("_Arguments")


class Writes:
    """The writes of one event loop, allowed from the first reading of the jobs on."""

    def __init__(self, terms: Callable[[], int]) -> None:
        """`terms` gives the number of times that the writer's role was taken over from another
        process, after which the jobs have to be read back."""
        self._terms = terms
        self._read: int | None = None
        """The value of `terms` for which the jobs were read back; None before the first time."""
        self._reading = False
        self._under_way: set[asyncio.Future[None]] = set()

    @property
    def allowed(self) -> bool:
        """Whether the jobs have been read back since the writer's role was taken over."""
        return not self._reading and self._read == self._terms()

    @property
    def begun(self) -> bool:
        """Whether the jobs have been read back once, so that writes may have been made."""
        return self._read is not None

    def check(self) -> None:
        """Raises Unavailable until the jobs are read back."""
        if not self.allowed:
            raise Unavailable(
                "The indexer is reading its jobs back; try again shortly.", retry_after=1
            )

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """A block that reads the jobs back. Writes that were begun before have ended, and no other
        begins."""
        terms, self._reading = self._terms(), True
        try:
            while self._under_way:
                await asyncio.wait(self._under_way)
            yield
            self._read = terms
        finally:
            self._reading = False

    async def make(
        self,
        write: Callable[_Arguments, None],
        *arguments: _Arguments.args,
        **more: _Arguments.kwargs,
    ) -> None:
        """Makes a write in a thread, which cannot be interrupted: a caller who is cancelled waits
        for its end, so that nothing is written after what the caller does then. Raises Unavailable
        until the jobs are read back."""
        self.check()
        writing = asyncio.ensure_future(asyncio.to_thread(write, *arguments, **more))
        self._under_way.add(writing)
        writing.add_done_callback(self._under_way.discard)
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            raise
