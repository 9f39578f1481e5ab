"""Computes a key once at a time inside this process; further callers wait for the result."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from services.common.ending import ended
from services.common.request_context import Deadline

Result = TypeVar("Result")

_TOLERANCE_SECONDS = 0.05
_TOLERANCE_SHARE = 0.08
"""Deadlines that differ by no more than these seconds, or this share of the time that is left,
count as equal: callers that came together may overtake each other. The share is within what a
budget grants an answer that is on its way."""


@dataclass(slots=True)
class _Flight(Generic[Result]):
    task: "asyncio.Task[Result]"
    deadline: Deadline
    patient: bool
    began: float
    """By the performance counter."""


@dataclass(slots=True)
class Flights(Generic[Result]):
    """Running computations by key. They continue if the callers that started them leave."""

    _flights: dict[str, _Flight[Result]] = field(default_factory=dict)
    """The newest of each key."""
    _tasks: set["asyncio.Task[Result]"] = field(default_factory=set)

    async def join(
        self,
        key: str,
        deadline: Deadline,
        compute: Callable[[], Awaitable[Result]],
        *,
        patient: bool = False,
        since: float | None = None,
    ) -> tuple[Result, bool]:
        """The result, and whether a computation gave it that had much less time than the caller.

        A caller whose deadline is much earlier than that of the running computation computes for
        itself, since it would otherwise wait for an answer that is cut to a larger budget. A
        caller that is not patient does not join a patient computation, which lets others pass; it
        starts one that further callers join. With `since`, a time of the performance counter, a
        caller joins only what began after it. Raises what `compute` raises.
        """
        flight = self._flights.get(key)
        if (
            flight is not None
            and (patient or not flight.patient)
            and (since is None or since <= flight.began)
        ):
            tolerance = max(_TOLERANCE_SECONDS, _TOLERANCE_SHARE * deadline.remaining())
            if deadline.at < flight.deadline.at - tolerance:
                return await compute(), False
            hurried = flight.deadline.at < deadline.at - tolerance
            return await asyncio.shield(flight.task), hurried
        return await asyncio.shield(self._start(key, deadline, compute, patient)), False

    def _start(
        self,
        key: str,
        deadline: Deadline,
        compute: Callable[[], Awaitable[Result]],
        patient: bool,
    ) -> "asyncio.Task[Result]":
        """Starts a computation in a task of its own, which others may join."""

        async def run() -> Result:
            return await compute()

        task = asyncio.create_task(run())
        flight = _Flight(task, deadline, patient, time.perf_counter())
        self._flights[key] = flight
        self._tasks.add(task)

        def landed(done: "asyncio.Task[Result]") -> None:
            self._tasks.discard(done)
            if self._flights.get(key) is flight:
                del self._flights[key]
            if not done.cancelled():
                # Reading the result marks it as retrieved, since all callers may have left.
                done.exception()

        task.add_done_callback(landed)
        return task

    async def aclose(self) -> None:
        """Cancels the running computations."""
        await ended(self._tasks)
