"""Single flight inside this process: who asks for what is being computed waits for that."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from services.common.request_context import Deadline

Result = TypeVar("Result")

_TOLERANCE_SECONDS = 0.05


@dataclass(slots=True)
class _Flight(Generic[Result]):
    task: "asyncio.Task[Result]"
    deadline: Deadline


@dataclass(slots=True)
class Flights(Generic[Result]):
    """Computations under way by key. They outlive the callers that started them."""

    _flights: dict[str, _Flight[Result]] = field(default_factory=dict)

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    async def join(
        self, key: str, deadline: Deadline, compute: Callable[[], Awaitable[Result]]
    ) -> tuple[Result, bool]:
        """The result, and whether another caller had it computed.

        A caller with clearly less time than a running computation has computes for itself: it
        would else wait for an answer that was cut to a larger budget. Raises what `compute` does.
        """
        flight = self._flights.get(key)
        if flight is not None:
            if deadline.at < flight.deadline.at - _TOLERANCE_SECONDS:
                return await compute(), False
            return await asyncio.shield(flight.task), True
        return await asyncio.shield(self.start(key, deadline, compute)), False

    def start(
        self, key: str, deadline: Deadline, compute: Callable[[], Awaitable[Result]]
    ) -> "asyncio.Task[Result]":
        """Computes in a task of its own, which others may join."""

        async def run() -> Result:
            return await compute()

        task = asyncio.create_task(run())
        flight = _Flight(task, deadline)
        self._flights[key] = flight

        def landed(done: "asyncio.Task[Result]") -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]
            if not done.cancelled():
                done.exception()  # read here, since all callers may have gone away

        task.add_done_callback(landed)
        return task

    async def aclose(self) -> None:
        """Cancels what is under way."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
