"""A loop whose time passes only while everything waits, so that a test of hours takes no time.

with virtual_time(monkeypatch) as run:
    run(scenario())
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from services.common import request_context


class _Clock:
    """Reads as the module `time` does."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


class _Selector(selectors.SelectSelector):
    """Moves the clock on by what it is told to wait."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits for something that will never come")
        self._clock.now += timeout
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: _Clock) -> None:
        super().__init__(_Selector(clock))
        self._clock = clock

    def time(self) -> float:
        return self._clock.now


@contextmanager
def virtual_time(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """A function that runs a coroutine in virtual time; deadlines follow the same clock."""
    clock = _Clock()
    monkeypatch.setattr(request_context, "time", clock)
    with asyncio.Runner(loop_factory=lambda: _Loop(clock)) as runner:
        yield runner.run
