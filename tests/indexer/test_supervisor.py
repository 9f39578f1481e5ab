"""What drives the jobs: a fault of one of them stops no other."""

from pathlib import Path

import pytest

from services.common.errors import Unavailable
from services.common.model_dir.encoders import EncoderDirectories
from services.common.wire.jobs import JobState
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.supervisor import _MOST_FAULTS
from services.indexer.jobs.waiting import LONGEST_SECONDS
from tests.indexer.serverless import Serverless


@pytest.fixture
async def system(tmp_path: Path, encoders: EncoderDirectories) -> Serverless:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    return system


async def begun(system: Serverless, identity: str, trouble: Exception | None = None) -> JobLedger:
    """A job whose next message is due; with `trouble` it cannot be sent."""
    ledger = await system.submitted(identity)
    if trouble is not None:
        system.queue.trouble[ledger.manifest.id] = trouble
    assert system.queue.sent == []
    return ledger


async def test_a_fault_of_one_job_stops_no_other_and_ends_it_in_words(system: Serverless) -> None:
    bad = await begun(system, "a", RuntimeError("a bug"))
    good = await begun(system, "b")
    for _ in range(_MOST_FAULTS - 1):
        assert (bad.end, bad.waiting is not None) == (None, True)
        system.now += LONGEST_SECONDS
        await system.turn()
    assert system.queue.sent == [good.manifest.id]
    await system.turn()
    assert bad.end is not None
    assert bad.end.state is JobState.FAILED
    assert "its log says why" in bad.end.message
    assert (good.end, good.waiting) == (None, None)


async def test_a_fault_that_passes_leaves_no_trace(system: Serverless) -> None:
    once = await begun(system, "a", RuntimeError("a bug"))
    await system.turn()
    assert once.waiting is not None
    system.queue.trouble.clear()
    await system.turn()
    assert system.queue.sent == [], "it waits a while before it is tried again"
    system.now += LONGEST_SECONDS
    await system.turn()
    assert system.queue.sent == [once.manifest.id]
    after = system.book.get(once.manifest.id)
    assert (after.waiting, after.faults, after.end) == (None, 0, None)


async def test_a_queue_that_is_away_is_a_matter_of_all_jobs(system: Serverless) -> None:
    one = await begun(system, "a", Unavailable("The queue does not answer."))
    with pytest.raises(Unavailable):
        await system.turn()
    assert (one.faults, one.waiting) == (0, None)
