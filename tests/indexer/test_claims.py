"""Claims that are refused: the job says why, and ends after a day."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from services.common.collection import PhysicalName
from services.common.errors import (
    EncoderMismatch,
    InvalidRequest,
    LeaseLost,
    SearchError,
    StorageDamaged,
    Unavailable,
)
from services.common.model_dir.encoders import EncoderDirectories
from services.common.wire.jobs import JobMode, JobState
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import Plan
from services.indexer.jobs.waiting import PATIENCE_SECONDS
from services.indexer.jobs.wire import Claim
from services.indexer.work.tasks import Tasks
from tests.indexer.in_memory import NAME
from tests.indexer.serverless import WORKER, Serverless, manifest

GONE = "0" * 16
"""Fingerprint of an encoder that is not installed."""


async def of_another_encoder(system: Serverless) -> JobLedger:
    physical = PhysicalName(NAME, GONE, "1", 5)
    system.index.live[NAME] = physical
    system.index.columns[physical] = frozenset()
    return await planned(system)


async def of_a_poor_worker(system: Serverless) -> JobLedger:
    system.claim = Claim(worker=WORKER, encoders=[GONE])
    return await planned(system)


async def brought_vectors(system: Serverless) -> JobLedger:
    return system.book.add(manifest(encoder=GONE))


async def of_a_gone_encoder(system: Serverless) -> JobLedger:
    return await planned(system, encoder=GONE, mode=JobMode.REBUILD)


async def without_partitions(system: Serverless) -> JobLedger:
    return system.book.add(manifest(partition="甲"))


async def of_a_damaged_record(system: Serverless) -> JobLedger:
    system.store.write(f"collections/{NAME}.json", b"damaged")
    return system.book.add(manifest())


async def planned(system: Serverless, **options: Any) -> JobLedger:
    ledger = system.book.add(manifest(**options))
    await system.book.planned(
        ledger, Plan(token="p", parts=[4], read=4, rejected=0, deduplicated=0)
    )
    return ledger


@pytest.mark.parametrize(
    ("made", "error", "says"),
    [
        (of_another_encoder, EncoderMismatch, "was filled by another encoder"),
        (of_a_poor_worker, EncoderMismatch, "deploy the same models to indexer and workers."),
        (brought_vectors, EncoderMismatch, "is not installed here"),
        (of_a_gone_encoder, EncoderMismatch, "is not installed here"),
        (without_partitions, InvalidRequest, "has no partition key"),
        (of_a_damaged_record, StorageDamaged, "declare the fields again."),
    ],
)
async def test_a_job_whose_parts_cannot_be_claimed_says_why_and_ends_after_a_day(
    tmp_path: Path,
    encoders: EncoderDirectories,
    made: Callable[[Serverless], Awaitable[JobLedger]],
    error: type[Exception],
    says: str,
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    ledger = await made(system)
    job, [(key, part)] = ledger.manifest.id, ledger.open.items()
    name = "plan" if ledger.plan is None else str(key)
    with pytest.raises(error):
        await system.leases.claim(job, name, system.claim)
    assert (part.attempts, part.lease, part.queued_at) == (0, None, None)
    assert says in system.book.report(ledger).message
    assert ledger.due(system.now) == []
    system.now += PATIENCE_SECONDS + 1
    await system.turn()
    report = system.book.report(ledger)
    assert report.state is JobState.FAILED
    assert says in report.message


async def test_a_claim_of_a_part_that_is_done_asks_nothing_of_the_index(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    ledger = await of_another_encoder(system)
    [part] = ledger.open
    await system.book.cancel(ledger)
    with pytest.raises(LeaseLost):
        await system.leases.claim(ledger.manifest.id, str(part), system.claim)
    assert ledger.open[part].waiting is None


async def test_a_rebuild_whose_encoder_is_gone_can_be_cancelled(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    ledger = await of_a_gone_encoder(system)
    await system.book.cancel(ledger)
    await system.turn()
    assert ledger.state is JobState.CANCELLED


@pytest.mark.parametrize("error", [EncoderMismatch, InvalidRequest, LeaseLost, Unavailable])
def test_a_worker_drops_a_message_whose_part_it_may_not_claim(error: type[SearchError]) -> None:
    class Client:
        def claim(self, *part: object) -> None:
            raise error

    class Encoder:
        fingerprints = (GONE,)

    parts: list[Any] = [Client(), None, None, Encoder(), None]
    Tasks(*(cast("Any", part) for part in parts)).part("job", "000000-0-4")
