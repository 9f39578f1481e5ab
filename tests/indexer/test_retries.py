"""Retries: one at a time, beside submissions, and after a crash in the middle of one."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from services.common.errors import Conflict, Unavailable
from services.common.model_dir.encoders import EncoderDirectories
from services.common.wire.jobs import JobMode, JobState
from services.indexer.jobs.ledger import JobLedger
from tests.indexer.in_memory import NAME
from tests.indexer.serverless import Serverless

IDS = ["a", "b", "c", "d"]


async def ended(system: Serverless, mode: JobMode, state: JobState) -> JobLedger:
    """A job that ended in a state in which it can be retried."""
    await system.turn()
    ledger = await system.submitted(*IDS, mode=mode)
    await system.plan(ledger)
    if state is JobState.CANCELLED:
        await system.book.cancel(ledger)
    assert (await system.work(ledger, broken="c")).state is state
    return ledger


RETRIABLE = pytest.mark.parametrize(
    ("mode", "state"),
    [
        (JobMode.UPSERT, JobState.SUCCEEDED_WITH_ERRORS),
        (JobMode.UPSERT, JobState.CANCELLED),
        (JobMode.REBUILD, JobState.SUCCEEDED_WITH_ERRORS),
        (JobMode.REBUILD, JobState.CANCELLED),
        (JobMode.IMPORT, JobState.SUCCEEDED_WITH_ERRORS),
        (JobMode.IMPORT, JobState.CANCELLED),
    ],
)


@RETRIABLE
async def test_of_two_retries_at_once_one_is_refused(
    tmp_path: Path, encoders: EncoderDirectories, mode: JobMode, state: JobState
) -> None:
    system = Serverless(tmp_path, encoders)
    ledger = await ended(system, mode, state)
    answers = await asyncio.gather(
        *(system.acceptance.retry(ledger) for _ in range(2)), return_exceptions=True
    )
    [refused] = [answer for answer in answers if answer is not None]
    assert isinstance(refused, Conflict)
    assert "has not ended" in refused.detail
    job = await system.work(ledger)
    assert (job.state, job.counts.indexed) == (JobState.SUCCEEDED, len(IDS))
    assert len(system.index.ids()) == len(IDS)
    assert len(await system.index.physicals()) == 1


@pytest.mark.parametrize("retry_first", [True, False])
async def test_a_retry_and_a_rebuild_at_once_do_not_both_run(
    tmp_path: Path, encoders: EncoderDirectories, retry_first: bool
) -> None:
    system = Serverless(tmp_path, encoders)
    ledger = await ended(system, JobMode.REBUILD, JobState.CANCELLED)
    await system.hold(*IDS)
    calls = [system.acceptance.retry(ledger), system.acceptance.rebuild(NAME)]
    if not retry_first:
        calls.reverse()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, Conflict) for answer in answers) == 1, answers
    assert len(list(system.book.running())) == 1


@RETRIABLE
@pytest.mark.parametrize("removed", range(4))
async def test_a_retry_that_a_crash_interrupted_can_be_asked_for_again(
    tmp_path: Path,
    encoders: EncoderDirectories,
    monkeypatch: pytest.MonkeyPatch,
    mode: JobMode,
    state: JobState,
    removed: int,
) -> None:
    """The crash comes after this many objects of the job's first attempt were removed."""
    system = Serverless(tmp_path, encoders)
    ledger = await ended(system, mode, state)
    left, remove = removed, system.store.remove

    def crash(prefix: str) -> None:
        nonlocal left
        if not left:
            raise Unavailable
        left -= 1
        remove(prefix)

    monkeypatch.setattr(system.store, "remove", crash)
    with contextlib.suppress(Unavailable):
        await system.acceptance.retry(ledger)
    restarted = Serverless(tmp_path, encoders, system.index)
    await restarted.turn()
    again = restarted.book.get(ledger.manifest.id)
    if again.end is not None:
        await restarted.acceptance.retry(again)
    job = await restarted.work(again)
    assert (job.state, job.counts.indexed) == (JobState.SUCCEEDED, len(IDS))
    assert len(restarted.index.ids()) == len(IDS)


async def test_a_retry_that_is_cancelled_tells_what_the_first_attempt_left(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    """The rebuilt index answers since the first attempt; 0 documents were told."""
    system = Serverless(tmp_path, encoders)
    ledger = await ended(system, JobMode.REBUILD, JobState.SUCCEEDED_WITH_ERRORS)
    await system.acceptance.retry(ledger)
    await system.turn()
    await system.book.cancel(ledger)
    job = await system.work(ledger)
    assert (job.state, job.counts.indexed) == (JobState.CANCELLED, len(IDS) - 1)
    assert "3 of its documents" in job.message
    assert len(system.index.ids()) == len(IDS) - 1
