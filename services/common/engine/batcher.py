"""Fair dynamic batching on an event loop: many callers, one forward pass at a time per predictor.

Callers submit *units*: a few sequences that are computed together. Whatever waits when a
predictor becomes free and fits its token budget shares the next pass, urgent work first.
Every waiter settles: with its result, the model's error, Overloaded, DeadlineExceeded, or
the end of the service. Work whose caller has gone is never computed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from services.common.engine.batches import Passes
from services.common.engine.metrics import EngineMetrics
from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import Tokens
from services.common.errors import (
    DeadlineExceeded,
    ModelUnavailable,
    Overloaded,
    SearchError,
)
from services.common.request_context import Deadline

logger = logging.getLogger(__name__)

_STUCK_SECONDS = 60.0
"""Seconds after which a forward pass counts as stuck. A pass usually takes at most one second."""

QUEUED_TOKENS = 200_000
"""Default of the padded tokens that may wait in one queue."""
ForwardBatch = Callable[[Sequence[Tokens]], FloatArray]


class Priority(IntEnum):
    """Urgent work goes first whenever a predictor becomes free."""

    QUERY = 0
    BULK = 1


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    sequences: Sequence[Tokens]
    columns: int
    deadline: Deadline | None
    result: asyncio.Future[FloatArray]

    @property
    def tokens(self) -> int:
        return self.columns * len(self.sequences)


class Batcher:
    """Owns a thread for each pass that may run at the same time.

    Use it as an async context manager on one event loop.
    """

    def __init__(
        self,
        forward: ForwardBatch,
        passes: Passes,
        *,
        queued_tokens: int = QUEUED_TOKENS,
        metrics: EngineMetrics | None = None,
    ) -> None:
        """`queued_tokens` bounds each queue: a unit that finds so many tokens of its priority
        waiting is refused as Overloaded."""
        self.passes = passes
        self._most_queued = queued_tokens
        self._forward = forward
        self._metrics = metrics
        self._started: dict[asyncio.Task[None] | None, float] = {}
        """Loop time at which the running pass of each worker began."""
        self._queues: dict[Priority, deque[_Unit]] = {priority: deque() for priority in Priority}
        self._queued_tokens = dict.fromkeys(Priority, 0)
        self._arrived = asyncio.Event()
        self._seconds_per_token = 1e-4
        self._workers: list[asyncio.Task[None]] = []
        self._closed = False

    async def __aenter__(self) -> Self:
        self._workers = [asyncio.create_task(self._work()) for _ in range(self.passes.at_once)]
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Lets passes that run finish, and fails what still waits."""
        self._closed = True
        for queue in self._queues.values():
            for unit in queue:
                _fail(unit, _stopping())
            queue.clear()
        self._arrived.set()
        await asyncio.gather(*self._workers)

    def check(self) -> None:
        """Raises ModelUnavailable when a forward pass has been under way for far too long."""
        now = asyncio.get_running_loop().time()
        oldest = min(self._started.values(), default=now)
        if now - oldest > _STUCK_SECONDS:
            raise ModelUnavailable(f"A forward pass has not ended for {now - oldest:.0f} s.")

    async def submit(
        self,
        sequences: Sequence[Tokens],
        *,
        priority: Priority,
        deadline: Deadline | None = None,
    ) -> FloatArray:
        """One unit of work: float32 [n, ...] in the order of its sequences (at least one).

        Raises Overloaded, DeadlineExceeded, ModelUnavailable.
        """
        if self._closed:
            raise _stopping()
        waiting = self._queued_tokens[priority]
        if waiting >= self._most_queued:
            if self._metrics:
                self._metrics.refused.inc()
            seconds = waiting * self._seconds_per_token / self.passes.at_once
            raise Overloaded("Too many texts are waiting for the model.", retry_after=seconds)
        columns = self.passes.columns(max(len(tokens) for tokens in sequences))
        result = asyncio.get_running_loop().create_future()
        unit = _Unit(sequences, columns, deadline, result)
        self._queues[priority].append(unit)
        self._count(priority, unit.tokens)
        self._arrived.set()
        try:
            return await unit.result
        except asyncio.CancelledError:
            self._leave(priority, unit)
            raise

    async def _work(self) -> None:
        # Passes run in a thread of their own, so that short calls of other code do not wait behind
        # them.
        with ThreadPoolExecutor(1, thread_name_prefix="forward") as thread:
            while not self._closed:
                if batch := self._take():
                    await self._compute(thread, batch)
                else:
                    self._arrived.clear()
                    await self._arrived.wait()

    async def _compute(self, thread: ThreadPoolExecutor, batch: list[_Unit]) -> None:
        loop, worker = asyncio.get_running_loop(), asyncio.current_task()
        started = loop.time()
        sequences = [tokens for unit in batch for tokens in unit.sequences]
        self._started[worker] = started
        try:
            output = await loop.run_in_executor(thread, self._forward, sequences)
        except Exception as error:
            logger.exception("a forward pass failed")
            if self._metrics:
                self._metrics.failures.inc()
            known = error if isinstance(error, SearchError) else None
            for unit in batch:
                _fail(unit, known or ModelUnavailable("The model failed on this input."))
            return
        finally:
            del self._started[worker]
        if self._metrics:
            tokens = sum(map(len, sequences))
            self._metrics.passed(len(sequences), tokens, loop.time() - started)
        columns = max(unit.columns for unit in batch)
        self._learn_speed((loop.time() - started) / (len(sequences) * columns))
        _settle(batch, output)

    def _take(self) -> list[_Unit]:
        """Takes the next batch: the oldest of the most urgent units, and what fits beside it."""
        batch: list[_Unit] = []
        rows = columns = 0
        for priority, queue in self._queues.items():
            while queue:
                unit = queue[0]
                if not _wanted(unit):
                    self._pop(priority)
                    continue
                rows += len(unit.sequences)
                columns = max(columns, unit.columns)
                if batch and rows * columns > self.passes.token_budget:
                    return batch
                batch.append(self._pop(priority))
        return batch

    def _leave(self, priority: Priority, unit: _Unit) -> None:
        """Makes room for others in the place of a caller who has gone."""
        if unit in self._queues[priority]:
            self._queues[priority].remove(unit)
            self._count(priority, -unit.tokens)

    def _pop(self, priority: Priority) -> _Unit:
        unit = self._queues[priority].popleft()
        self._count(priority, -unit.tokens)
        return unit

    def _count(self, priority: Priority, tokens: int) -> None:
        self._queued_tokens[priority] += tokens
        if self._metrics:
            self._metrics.queued_tokens.inc(tokens)

    def _learn_speed(self, seconds_per_token: float) -> None:
        self._seconds_per_token += 0.1 * (seconds_per_token - self._seconds_per_token)


def _stopping() -> ModelUnavailable:
    return ModelUnavailable("The service is stopping.", retry_after=1)


def _wanted(unit: _Unit) -> bool:
    """Whether a caller still waits for a unit. A unit past its deadline is failed here."""
    if unit.deadline is not None and unit.deadline.expired:
        _fail(unit, DeadlineExceeded("The model was not reached within the budget."))
    return not unit.result.done()


def _fail(unit: _Unit, error: SearchError) -> None:
    if not unit.result.done():
        unit.result.set_exception(error)


def _settle(batch: Sequence[_Unit], output: FloatArray) -> None:
    start = 0
    for unit in batch:
        end = start + len(unit.sequences)
        if not unit.result.done():
            unit.result.set_result(output[start:end])
        start = end
