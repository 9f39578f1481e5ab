"""Computes a key once at a time inside this process; further callers wait for the result."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from services.common.request_context import Deadline

Result = TypeVar("Result")

_TOLERANCE_SECONDS = 0.05
"""A caller whose deadline is earlier by no more than these seconds joins a running computation."""


@dataclass(slots=True)
class _Flight(Generic[Result]):
    task: "asyncio.Task[Result]"
    deadline: Deadline


@dataclass(slots=True)
class Flights(Generic[Result]):
    """Running computations by key. They continue if the callers that started them leave."""

    _flights: dict[str, _Flight[Result]] = field(default_factory=dict)

    async def join(
        self, key: str, deadline: Deadline, compute: Callable[[], Awaitable[Result]]
    ) -> tuple[Result, bool]:
        """The result, and whether another caller's computation gave it.

        A caller whose deadline is much earlier than that of the running computation computes for
        itself, since it would otherwise wait for an answer that is cut to a larger budget. Raises
        what `compute` raises.
        """
        flight = self._flights.get(key)
        if flight is not None:
            if deadline.at < flight.deadline.at - _TOLERANCE_SECONDS:
                return await compute(), False
            return await asyncio.shield(flight.task), True
        return await asyncio.shield(self._start(key, deadline, compute)), False

    def _start(
        self, key: str, deadline: Deadline, compute: Callable[[], Awaitable[Result]]
    ) -> "asyncio.Task[Result]":
        """Starts a computation in a task of its own, which others may join."""

        async def run() -> Result:
            return await compute()

        task = asyncio.create_task(run())
        flight = _Flight(task, deadline)
        self._flights[key] = flight

        def landed(done: "asyncio.Task[Result]") -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]
            if not done.cancelled():
                # Reading the result marks it as retrieved, since all callers may have left.
                done.exception()

        task.add_done_callback(landed)
        return task

    async def aclose(self) -> None:
        """Cancels the running computations."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
