"""A deletion is kept as long as a write may come that it must outlive."""

import asyncio
import threading
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.indexer.index.collections.tombstones import Tombstones
from services.indexer.jobs.housekeeping import Housekeeping
from services.indexer.store import ObjectStore

NAME = "papers"
HOUR = 3_600 * 10**9
ROW: Any = SimpleNamespace(id="1", version=None)


class SlowStore(ObjectStore):
    """A store whose lists are given out when the test allows it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.asked, self.allowed = threading.Event(), threading.Event()
        self.allowed.set()

    def names(self, prefix: str) -> list[str]:
        self.asked.set()
        self.allowed.wait(10)
        return super().names(prefix)


class Book:
    """The jobs of one collection, of which the oldest unfinished one has a version."""

    clock = staticmethod(time.monotonic)

    def __init__(self, oldest: int | None) -> None:
        self.oldest = oldest

    async def forget_refused(self) -> None:
        """No upload was refused."""

    def all(self) -> list[Any]:
        return [SimpleNamespace(manifest=SimpleNamespace(collection=NAME), end=None)]

    def oldest_write(self, collection: str) -> int | None:
        return self.oldest

    def rebuilding(self, collection: str) -> str:
        return "a job, so nothing is collected"


def housekeeping(tombstones: Tombstones, oldest: int | None) -> Housekeeping:
    async def state(name: str) -> Any:
        return SimpleNamespace(tombstones=tombstones)

    async def left_behind() -> set[str]:
        return set()

    collections = SimpleNamespace(state=state, left_behind=left_behind)
    return Housekeeping(
        cast("Any", Book(oldest)),
        cast("Any", collections),
        cast("Any", None),
        retention=timedelta(days=1),
        retained_jobs=10,
    )


@pytest.mark.parametrize(
    ("age", "job_age", "kept"),
    [
        pytest.param(2 * HOUR, None, False, id="old"),
        pytest.param(2 * HOUR, 3 * HOUR, True, id="old, of an older job"),
        pytest.param(2 * HOUR, HOUR + HOUR // 2, False, id="older than the oldest job"),
        pytest.param(0, None, True, id="new, while a job may be on its way into the book"),
        pytest.param(HOUR // 2, HOUR // 4, True, id="new, of a job that is not the oldest known"),
    ],
)
async def test_what_housekeeping_keeps(
    age: int, job_age: int | None, kept: bool, tmp_path: Path
) -> None:
    store, now = ObjectStore(str(tmp_path)), time.time_ns()
    tombstones = await Tombstones.read(store, NAME)
    await tombstones.add(["1"], now - age)
    await housekeeping(tombstones, None if job_age is None else now - job_age).run()
    for each in (tombstones, await Tombstones.read(store, NAME)):
        assert (each.surviving([ROW], now - age - 1) == []) is kept


async def test_a_deletion_beside_housekeeping_is_kept(tmp_path: Path) -> None:
    """A job is accepted and a document deleted while the deletions are listed."""
    store = SlowStore(tmp_path)
    tombstones = await Tombstones.read(store, NAME)
    await tombstones.add(["0"], time.time_ns() - 2 * HOUR)
    store.asked.clear()
    store.allowed.clear()
    running = asyncio.create_task(housekeeping(tombstones, None).run())
    await asyncio.to_thread(store.asked.wait, 10)
    job = time.time_ns()
    await tombstones.add(["1"], job + 1)
    store.allowed.set()
    await running
    for each in (tombstones, await Tombstones.read(store, NAME)):
        assert each.surviving([ROW], job) == []
        assert each.since(0) == 1
