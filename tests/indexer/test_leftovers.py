"""What planning leaves in the storage: the parts of one plan, and no input beside them."""

from pathlib import Path

from services.common.model_dir.encoders import EncoderDirectories
from services.indexer.jobs.ledger import JobLedger
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
