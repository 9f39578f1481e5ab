"""Waiting for a change of a job."""

import asyncio

import pytest

from services.indexer.jobs.changes import Changes


async def test_a_change_wakes_all_who_wait() -> None:
    changes = Changes()
    waiting = [asyncio.create_task(changes.next(60)) for _ in range(2)]
    await asyncio.sleep(0)
    changes.notify()
    await asyncio.wait_for(asyncio.gather(*waiting), 5)


async def test_waiting_ends_without_a_change() -> None:
    await Changes().next(0.01)


async def test_a_change_at_the_moment_of_the_end_does_not_keep_a_task_alive() -> None:
    """A supervisor that misses its cancellation looks at jobs for ever, and the indexer does not
    end on SIGTERM."""
    changes = Changes()

    async def supervise() -> None:
        while True:
            await changes.next(60)

    task = asyncio.create_task(supervise())
    await asyncio.sleep(0.01)
    changes.notify()
    await asyncio.sleep(0)  # the inner wait has ended, and the task has not run yet
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert task in done
    with pytest.raises(asyncio.CancelledError):
        await task
