"""What jobs leave in the storage: after planning the parts of one plan, and no input beside them;
after their end what a retry reads."""

from pathlib import Path

import pytest

from services.common.model_dir.encoders import EncoderDirectories
from services.common.wire.jobs import JobMode
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import JobEnd
from services.indexer.jobs.wire import Granted
from services.indexer.originals import Originals
from services.indexer.work.planner import Planner
from tests.indexer.serverless import Serverless


def _planner(system: Serverless, granted: Granted) -> Planner:
    return Planner(system.book.files, Originals(system.store), granted, check=lambda: None)


async def _begun(system: Serverless) -> JobLedger:
    await system.turn()
    return await system.submitted(*"abcd")


async def test_a_planner_that_was_killed_leaves_no_parts_beside_the_plan(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    """Each new version of the workers that is deployed stops planners half-way."""
    system = Serverless(tmp_path, encoders)
    ledger = await _begun(system)
    job = ledger.manifest.id
    killed = await system.leases.claim(job, "plan", system.claim)
    _planner(system, killed).plan()
    system.now += 1_000
    await system.turn()
    await system.plan(ledger)
    assert ledger.plan is not None
    assert system.store.names(f"jobs/{job}/plans") == [ledger.plan.token] != [killed.token]
    assert (await system.work(ledger)).counts.indexed == 4


async def test_an_input_that_a_kill_left_beside_its_plan_goes_with_the_end_of_the_job(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    before = Serverless(tmp_path, encoders)
    ledger = await _begun(before)
    job = ledger.manifest.id
    granted = await before.leases.claim(job, "plan", before.claim)
    plan = _planner(before, granted).plan()
    before.book.files.write_plan(job, plan)  # The kill comes here.
    after = Serverless(tmp_path, encoders, before.index)
    await after.turn()
    assert after.store.exists(f"jobs/{job}/input")
    assert (await after.work(after.book.get(job))).state == "succeeded"
    assert not after.store.exists(f"jobs/{job}/input")


class Killed(BaseException):
    """The end of the process."""


@pytest.mark.parametrize(
    ("mode", "broken", "left"),
    [
        (JobMode.UPSERT, "", []),
        (JobMode.UPSERT, "c", ["plans/{plan}/000000.arrow", "plans/{plan}/000001.arrow"]),
        (JobMode.IMPORT, "", []),
    ],
)
async def test_a_kill_right_after_the_end_leaves_nothing_that_no_retry_reads(
    tmp_path: Path,
    encoders: EncoderDirectories,
    monkeypatch: pytest.MonkeyPatch,
    mode: JobMode,
    broken: str,
    left: list[str],
) -> None:
    """The rows of an import, which are as large as its collection, stayed for 30 days."""
    before = Serverless(tmp_path, encoders)
    await before.turn()
    ledger = await before.submitted(*"abcd", mode=mode)
    job, files = ledger.manifest.id, before.book.files
    await before.plan(ledger)
    assert ledger.plan is not None
    if mode is JobMode.IMPORT:
        for part in ledger.open:
            before.store.write(files.rows_key(job, "worker", part), b"rows")
            before.store.write(files.passages_key(job, "worker", part), b"passages")
    ended = files.write_end

    def killed(job_id: str, end: JobEnd) -> None:
        ended(job_id, end)
        raise Killed

    monkeypatch.setattr(files, "write_end", killed)
    with pytest.raises(Killed):
        await before.work(ledger, broken=broken)
    after = Serverless(tmp_path, encoders, before.index)
    await after.turn()
    state = after.book.get(job).end
    assert state is not None
    kept = [key for key in after.store.under(f"jobs/{job}") if key.startswith(("plans", "rows"))]
    parts = [key for key in kept if not key.endswith("rejected.jsonl")]
    assert parts == [key.format(plan=ledger.plan.token) for key in left]
    if broken:
        await after.book.retry(after.book.get(job))
        assert (await after.work(after.book.get(job))).state == "succeeded"
