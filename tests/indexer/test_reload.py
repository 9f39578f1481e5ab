"""The jobs are read back when the writer's role comes back from another indexer: nothing that was
answered is lost from sight, and nothing is answered from what was known before."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.common.errors import JobNotFound, Unavailable
from services.common.model_dir.encoders import EncoderDirectories
from services.common.wire.jobs import JobState
from services.indexer.api.jobs import _progress
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import (
    Attempts,
    JobEnd,
    JobManifest,
    PartKey,
    PartResult,
    Plan,
    Rejection,
    now,
)
from services.indexer.jobs.recovery import recovered
from services.indexer.jobs.workers import Workers
from services.indexer.metrics import JobMetrics
from tests.indexer.serverless import Serverless, manifest

STATE = Callable[[Serverless], Coroutine[Any, Any, JobLedger]]
CHANGE = Callable[[Serverless, JobLedger], Coroutine[Any, Any, None]]


async def unplanned(system: Serverless) -> JobLedger:
    return await system.submitted("a")


async def planned(system: Serverless) -> JobLedger:
    ledger = await system.submitted(*"abcd")
    await system.plan(ledger)
    return ledger


async def leased(system: Serverless) -> JobLedger:
    ledger = await planned(system)
    for part in ledger.open:
        await system.leases.claim(ledger.manifest.id, str(part), system.claim)
    return ledger


async def ended(system: Serverless) -> JobLedger:
    ledger = await planned(system)
    await system.work(ledger, broken="c")
    return ledger


async def accept(system: Serverless, ledger: JobLedger) -> None:
    await system.submitted("new")


async def plan(system: Serverless, ledger: JobLedger) -> None:
    made = Plan(token="p", parts=[1], read=1, rejected=0, deduplicated=0)
    await system.book.planned(ledger, made)


async def claim(system: Serverless, ledger: JobLedger) -> None:
    [part, *_] = ledger.open
    await system.book.claim(ledger, part, "w", 60.0)


async def give_back(system: Serverless, ledger: JobLedger) -> None:
    [(key, part), *_] = ledger.open.items()
    assert part.lease is not None
    await system.book.release(ledger, key, part.lease.token, "")


async def fail(system: Serverless, ledger: JobLedger) -> None:
    [(key, part), *_] = ledger.open.items()
    assert part.lease is not None
    await system.book.failed(ledger, key, part.lease.token, "it hurts")


async def finish(system: Serverless, ledger: JobLedger) -> None:
    [part, *_] = ledger.open
    rejected = [Rejection(line=1, reason="it hurts")]
    await system.book.finish(ledger, part, PartResult(indexed=1, rejected=rejected))


async def split(system: Serverless, ledger: JobLedger) -> None:
    [part, *_] = ledger.open
    await system.book.split(ledger, part)


async def cancel(system: Serverless, ledger: JobLedger) -> None:
    await system.book.cancel(ledger)


async def end(system: Serverless, ledger: JobLedger) -> None:
    state, counts = JobState.FAILED, ledger.counts()
    await system.book.finalise(ledger, JobEnd(state=state, counts=counts, finished_at=now()))


async def retry(system: Serverless, ledger: JobLedger) -> None:
    await system.acceptance.retry(ledger)


async def restart(system: Serverless, ledger: JobLedger) -> None:
    await system.book.restart(ledger, 5)


async def forget(system: Serverless, ledger: JobLedger) -> None:
    await system.book.forget(ledger)


def known(ledgers: list[JobLedger]) -> list[tuple[object, ...]]:
    """What must be in memory as it is on disk."""
    return sorted(
        (
            ledger.manifest.model_dump_json(),
            str(ledger.end),
            ledger.cancelling,
            str(sorted(ledger.results.items())),
            str(sorted((key, part.attempts) for key, part in ledger.open.items())),
        )
        for ledger in ledgers
    )


@pytest.mark.parametrize(
    ("state", "change"),
    [
        (unplanned, accept),
        (unplanned, plan),
        (planned, claim),
        (leased, give_back),
        (leased, fail),
        (leased, finish),
        (planned, split),
        (planned, cancel),
        (planned, end),
        (ended, retry),
        (ended, restart),
        (ended, forget),
    ],
)
@pytest.mark.parametrize("change_first", [True, False])
async def test_a_change_beside_the_reading_is_in_memory_as_it_is_on_disk(
    tmp_path: Path,
    encoders: EncoderDirectories,
    monkeypatch: pytest.MonkeyPatch,
    state: STATE,
    change: CHANGE,
    change_first: bool,
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    ledger = await state(system)
    refused = False
    if change_first:
        slow_writes(system, monkeypatch)
        changing = asyncio.create_task(change(system, ledger))
        await asyncio.sleep(0.02)
        reading = asyncio.create_task(system.book.load())
    else:
        listed, go_on = held_reading(system, monkeypatch)
        reading = asyncio.create_task(system.book.load())
        await asyncio.to_thread(listed.wait)
        changing = asyncio.create_task(change(system, ledger))
        await asyncio.wait([changing], timeout=5)
        go_on.set()
    try:
        await changing
    except Unavailable:
        refused = True
    await reading
    monkeypatch.undo()
    assert known(system.book.all()) == known(recovered(JobFiles(system.store), remove=False))
    if not change_first:
        assert refused
    if refused and change in (accept, cancel, retry):  # What a caller was refused can be done now.
        await change(system, system.book.get(ledger.manifest.id))


def slow_writes(system: Serverless, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the storage take its time, so that a reading can begin and end beside a change."""

    def slow(real: Callable[..., None]) -> Callable[..., None]:
        def write(*arguments: object) -> None:
            time.sleep(0.1)
            real(*arguments)

        return write

    for name in ("write", "remove"):
        monkeypatch.setattr(system.store, name, slow(getattr(system.store, name)))


def held_reading(
    system: Serverless, monkeypatch: pytest.MonkeyPatch
) -> tuple[threading.Event, threading.Event]:
    """Holds the reading once it has listed the jobs, which the first event tells, until the second
    one is set."""
    listed, go_on, real = threading.Event(), threading.Event(), system.store.names

    def names(prefix: str) -> list[str]:
        found = real(prefix)
        if not listed.is_set():
            listed.set()
            go_on.wait(20)
        return found

    monkeypatch.setattr(system.store, "names", names)
    return listed, go_on


async def test_from_the_moment_at_which_the_role_comes_back_jobs_are_read_first(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    mine = await unplanned(system)
    other = Serverless(tmp_path, encoders, system.index)
    await other.turn()
    theirs = await planned(other)
    await other.book.cancel(other.book.get(mine.manifest.id))
    system.role.terms += 1
    for job in (theirs, mine):
        with pytest.raises(Unavailable):
            system.book.get(job.manifest.id)
    with pytest.raises(Unavailable):
        await system.writer.check()
    with pytest.raises(Unavailable):
        await system.submitted("b")
    with pytest.raises(Unavailable):
        await system.book.cancel(mine)
    await system.turn()
    assert system.book.get(theirs.manifest.id).plan == theirs.plan
    assert system.book.get(mine.manifest.id).state is JobState.CANCELLED
    with pytest.raises(Unavailable):
        await claim(system, mine)  # by one who knew it before


async def test_steps_of_the_term_before_are_stopped(
    tmp_path: Path, encoders: EncoderDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What such a step is about to do may have been done, and undone, by another indexer."""
    system = Serverless(tmp_path, encoders)
    await system.turn()
    ledger = await system.submitted("a")
    await system.plan(ledger)
    await system.book.cancel(ledger)
    stopped = asyncio.Event()

    async def stuck(ledger: JobLedger) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    monkeypatch.setattr(system.finisher, "cancelled", stuck)
    await system.supervisor._turn()
    await asyncio.sleep(0)
    monkeypatch.undo()
    system.role.terms += 1
    async with asyncio.timeout(5):
        await system.turn()
    assert stopped.is_set()
    assert system.book.get(ledger.manifest.id).state is JobState.CANCELLED


async def test_the_events_of_a_job_go_on_when_the_jobs_are_read_back(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    ledger = system.book.add(manifest())
    system.book.files.write_manifest(ledger.manifest)
    events = _progress(system.book, "job", lambda: False)
    assert "queued" in await anext(events)
    system.role.terms += 1
    reading = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.5)
    await system.turn()
    assert (await reading).startswith(":")
    await system.book.cancel(system.book.get("job"))
    await system.turn()
    told = [event async for event in events]
    assert '"state":"cancelled"' in told[-1]
    with pytest.raises(JobNotFound):
        system.book.get("another")


async def test_jobs_are_counted_once_they_are_read_back(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    """A count that began with 0 at each start would look like jobs that fail at that moment."""
    before = Serverless(tmp_path, encoders)
    await before.book.load()
    await end(before, await unplanned(before))
    after, registry = Serverless(tmp_path, encoders), CollectorRegistry()
    JobMetrics(registry, after.book, Workers(0), lambda: False)
    failed = "xunwen_index_jobs", {"state": "failed"}
    assert registry.get_sample_value(*failed) is None
    assert registry.get_sample_value("xunwen_index_writer") == 0
    await after.book.load()
    assert registry.get_sample_value(*failed) == 1
    assert registry.get_sample_value("xunwen_index_parts_open") == 0


async def test_jobs_are_read_beside_each_other(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    """An object store answers each of the ten calls for a job after a wait."""
    system = Serverless(tmp_path, encoders)
    await system.turn()
    ids = [(await system.submitted("a")).manifest.id for _ in range(3)]
    together = threading.Barrier(len(ids), timeout=30)

    class Waiting(JobFiles):
        def manifest(self, job_id: str) -> JobManifest | None:
            together.wait()
            return super().manifest(job_id)

    read = await asyncio.to_thread(recovered, Waiting(system.store), remove=False)
    assert [each.manifest.id for each in read] == JobFiles(system.store).ids()
    assert {each.manifest.id for each in read} == set(ids)


async def test_what_only_an_open_job_needs_is_not_read_of_one_that_has_ended(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    done = (await ended(system)).manifest.id
    going = (await planned(system)).manifest.id
    asked: list[str] = []

    class Noting(JobFiles):
        def splits(self, job_id: str) -> set[PartKey]:
            asked.append(job_id)
            return super().splits(job_id)

        def attempts(self, job_id: str) -> dict[PartKey, Attempts]:
            asked.append(job_id)
            return super().attempts(job_id)

    assert {each.manifest.id for each in recovered(Noting(system.store), remove=False)} == {
        done,
        going,
    }
    assert asked == [going, going]
