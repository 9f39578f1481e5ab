"""What the indexer takes from workers, and what it refuses: heartbeats, plans and rows."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from services.common.errors import LeaseLost, MalformedRequest, Unavailable
from services.common.model_dir.encoders import EncoderDirectories
from services.common.wire.jobs import JobState
from services.indexer.index import writer
from services.indexer.jobs import workers
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import PartKey, Plan
from services.indexer.jobs.waiting import LONGEST_SECONDS
from services.indexer.jobs.wire import Granted, Planned, Release, Renewal
from services.indexer.jobs.workers import SILENT_SECONDS, Workers
from services.indexer.rows import Row
from tests.indexer.in_memory import NAME
from tests.indexer.serverless import WORKER, Serverless, row


@dataclass
class Clock:
    """The monotonic clock of the process."""

    now: float = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(workers, "time", clock)
    return clock


@pytest.fixture
async def system(tmp_path: Path, encoders: EncoderDirectories) -> Serverless:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    return system


async def test_silent_workers_are_missed(clock: Clock) -> None:
    expected = Workers(2)
    expected.heard("a")
    with pytest.raises(Unavailable, match="1 of 2 workers are alive"):
        await expected.check()
    expected.heard("b")
    await expected.check()
    clock.now += SILENT_SECONDS - 1
    expected.heard("a")
    await expected.check()
    clock.now += 2
    assert expected.alive() == 1
    with pytest.raises(Unavailable, match="1 of 2 workers are alive"):
        await expected.check()
    expected.heard("b")
    await expected.check()


async def test_claims_and_renewals_are_signs_of_life(system: Serverless, clock: Clock) -> None:
    ledger = await system.submitted("a")
    job = ledger.manifest.id
    granted = await system.leases.claim(job, "plan", system.claim)
    assert system.leases.workers.alive() == 1
    clock.now += SILENT_SECONDS + 1
    assert system.leases.workers.alive() == 0
    system.leases.renew(job, "plan", Renewal(worker=WORKER, token=granted.token))
    assert system.leases.workers.alive() == 1


async def test_planning_shows_how_much_it_has_read(system: Serverless) -> None:
    ledger = await system.submitted("a")
    job = ledger.manifest.id
    assert system.book.report(ledger).state is JobState.QUEUED
    granted = await system.leases.claim(job, "plan", system.claim)
    assert system.book.report(ledger).state is JobState.RUNNING
    counted = []
    for read in (7, 20, 0, 15):  # A heartbeat may overtake another one.
        renewal = Renewal(worker=WORKER, token=granted.token, read=read)
        changed = asyncio.create_task(system.book.change(60))
        await asyncio.sleep(0)
        system.leases.renew(job, "plan", renewal)
        counted.append(system.book.report(ledger).counts.read)
        await asyncio.sleep(0)
        assert changed.done() is (read in (7, 20)), "callers who follow the job are told"
        changed.cancel()
    assert counted == [7, 20, 20, 20]


@pytest.mark.parametrize("part", ["", "plans", "0-0-1", "000000-0", "000000-0-1x", "../plan"])
async def test_what_names_no_part(system: Serverless, part: str) -> None:
    ledger = await system.submitted("a")
    with pytest.raises(MalformedRequest, match="names no part"):
        await system.leases.claim(ledger.manifest.id, part, system.claim)


async def test_the_first_plan_counts(system: Serverless) -> None:
    ledger = await system.submitted("a")
    job = ledger.manifest.id
    granted = await system.leases.claim(job, "plan", system.claim)
    plan = Plan(token=granted.token, parts=[1], read=1, rejected=0, deduplicated=0)
    planned = Planned(token=granted.token, plan=plan)
    for _ in range(2):  # The answer to the first call may have been lost.
        await system.leases.planned(job, planned, WORKER)
    other = Planned(token="other", plan=plan.model_copy(update={"token": "other", "read": 9}))
    with pytest.raises(LeaseLost, match="planned by another worker"):
        await system.leases.planned(job, other, "late")
    assert system.book.report(ledger).counts.read == 1


async def claimed(system: Serverless) -> tuple[JobLedger, PartKey, Granted]:
    """A part of two documents that a worker has."""
    ledger = await system.submitted("a", "b")
    await system.plan(ledger)
    [key] = ledger.open
    return ledger, key, await system.leases.claim(ledger.manifest.id, str(key), system.claim)


async def written(system: Serverless, part: tuple[JobLedger, PartKey, Granted], *rows: Row) -> None:
    ledger, key, granted = part
    encoded = {encoder: list(rows) for encoder in granted.encoders}
    await system.leases.written(ledger.manifest.id, str(key), granted.token, WORKER, encoded)


async def test_rows_that_do_not_fit_their_part_are_refused(
    system: Serverless, encoders: EncoderDirectories
) -> None:
    part = await claimed(system)
    one, other = row("a", encoders), row("b", encoders)
    with pytest.raises(MalformedRequest, match="has 2 documents, not 1"):
        await written(system, part, one)
    with pytest.raises(MalformedRequest, match="has 2 documents, not 3"):
        await written(system, part, one, other, other)
    short = replace(other, vector=np.zeros(encoders.default.dimension - 1, np.float32))
    with pytest.raises(MalformedRequest, match=f"dimension, {encoders.default.dimension}"):
        await written(system, part, one, short)
    assert system.index.ids() == []
    await written(system, part, one, other)
    assert system.index.ids() == ["a", "b"]


async def test_rows_are_written_once_and_by_who_has_the_part(
    system: Serverless, encoders: EncoderDirectories
) -> None:
    part = await claimed(system)
    ledger, key, granted = part
    rows = [row(one, encoders) for one in "ab"]
    with pytest.raises(LeaseLost):
        await written(system, (ledger, key, granted.model_copy(update={"token": "x"})), *rows)
    lease = ledger.open[key].lease
    assert lease is not None
    lease.writing = True
    with pytest.raises(Unavailable, match="is being written"):
        await written(system, part, *rows)
    lease.writing = False
    await written(system, part, *rows)
    await system.index.drop((await system.index.physicals())[0])
    await written(system, part, *rows)  # The answer to the first call may have been lost.
    assert system.index.ids() == []
    assert system.book.report(ledger).counts.indexed == 2


async def test_a_job_that_is_cancelled_beside_a_write_takes_no_further_slice(
    system: Serverless, encoders: EncoderDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SLICE_ROWS", 1)
    part = await claimed(system)
    ledger, key, _ = part
    lease = ledger.open[key].lease
    assert lease is not None
    state = await system.collections.state(NAME)
    async with state.lock:
        writing = asyncio.create_task(written(system, part, *(row(one, encoders) for one in "ab")))
        async with asyncio.timeout(10):
            while not lease.writing:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        await system.book.cancel(ledger)
    with pytest.raises(LeaseLost, match="takes no more rows"):
        await writing
    assert system.index.ids() == ["a"]
    await system.turn()
    report = system.book.report(ledger)
    assert (report.state, report.counts.indexed) == (JobState.CANCELLED, 1)


@pytest.mark.parametrize(("reason", "due"), [("", True), ("Milvus does not answer.", False)])
async def test_a_part_that_a_worker_gives_back_counts_no_attempt(
    system: Serverless, reason: str, due: bool
) -> None:
    """It is taken again at once if the worker only stops, and later if it lacks something."""
    ledger, key, granted = await claimed(system)
    assert ledger.open[key].attempts == 1
    release = Release(token=granted.token, reason=reason)
    await system.leases.release(ledger.manifest.id, str(key), release)
    assert (ledger.open[key].attempts, ledger.open[key].lease) == (0, None)
    assert bool(ledger.due(system.now)) is due
    assert reason in system.book.report(ledger).message
    system.now += LONGEST_SECONDS
    assert ledger.due(system.now)
