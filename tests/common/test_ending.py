"""Tasks end when they are to, also if a cancellation is lost."""

import asyncio

import pytest

from services.common import ending
from services.common.ending import ended


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "_AGAIN_SECONDS", 0.05)


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    swallowed = 0

    async def works_on() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed > 2:
                    raise

    tasks = [asyncio.create_task(works_on()) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.wait_for(ended(tasks), 10)
    assert all(task.cancelled() for task in tasks)


async def test_errors_and_results_are_dropped() -> None:
    async def fails() -> None:
        raise ValueError

    tasks = [asyncio.create_task(fails()), asyncio.create_task(asyncio.sleep(0, 1))]
    await asyncio.wait(tasks)
    await ended([*tasks, asyncio.create_task(fails())])
    await ended([])
