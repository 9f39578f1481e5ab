"""Jobs that reject more than they may: a new index is refused, and the present one stays."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.common.errors import LeaseLost
from services.common.fields.types import FieldKind, FieldType
from services.common.model_dir.encoders import EncoderDirectories
from services.common.wire.jobs import JobMode
from services.indexer.jobs.ledger import JobLedger
from tests.indexer.in_memory import NAME
from tests.indexer.serverless import Serverless, row

IDS = ["a", "b", "c", "d", "e"]


def damage(system: Serverless, ledger: JobLedger) -> None:
    assert ledger.plan is not None
    key = system.book.files.part_key(ledger.manifest.id, ledger.plan.token, 1)
    system.store.write(key, b"damaged")


def nothing(system: Serverless, ledger: JobLedger) -> None:
    """The documents themselves are at fault."""


@pytest.mark.parametrize(
    ("odd", "broken", "happens", "says"),
    [
        ("..", "", nothing, "id '..' cannot be part of an address"),
        ("f", "f", nothing, "cannot be indexed: it hurts"),
        ("f", "", damage, "has lost a document, since the part that held it is damaged"),
        ("f", "abcdef", nothing, "cannot be indexed: it hurts"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
async def test_a_rebuild_out_of_the_collection_itself_loses_no_document(
    tmp_path: Path,
    encoders: EncoderDirectories,
    odd: str,
    broken: str,
    happens: Callable[[Serverless, JobLedger], None],
    says: str,
    force: bool,
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    await system.hold(*IDS, odd)
    before, [live] = system.index.ids(), await system.index.physicals()
    ledger = await system.rebuilt(force=force)
    await system.plan(ledger)
    happens(system, ledger)
    job = await system.work(ledger, broken=broken)
    assert says in job.message
    if force and broken != "abcdef":
        assert job.state == "succeeded_with_errors"
        assert job.counts.indexed == len(system.index.ids()) < len(before)
        return
    assert (job.state, job.counts.indexed) == ("failed", 0)
    if not force:
        assert "so the present index stays." in job.message
        assert "Mend or delete" in job.message
        assert "force=true" in job.message
    assert system.index.ids() == before
    assert await system.index.physicals() == [live]


async def test_documents_that_do_not_fit_are_listed_before_any_is_encoded(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    await system.collections.create(NAME)
    await system.hold(*IDS, ".", "..")
    ledger = await system.rebuilt()
    await system.plan(ledger)
    for part in list(ledger.open):
        with pytest.raises(LeaseLost):
            await system.leases.claim(ledger.manifest.id, str(part), system.claim)
    job = await system.work(ledger)
    assert "2 of 7 documents could not be indexed anew" in job.message
    assert job.counts.rejected == 2


@pytest.mark.parametrize("force", [False, True])
async def test_force_leaves_out_documents_that_do_not_fit_a_declared_type(
    tmp_path: Path, encoders: EncoderDirectories, force: bool
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    await system.hold("old")
    await system.collections.declare(NAME, {"title": FieldType(type=FieldKind.TEXT, weight=2)})
    await system.hold(*IDS, "..")
    ledger = await system.rebuilt(force=force)
    await system.plan(ledger)
    assert (await system.work(ledger)).state == ("succeeded_with_errors" if force else "failed")
    assert (".." in system.index.ids()) != force


async def test_a_rebuild_that_rejects_every_document_says_so(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    await system.hold(".", "..")
    ledger = await system.rebuilt()
    await system.plan(ledger)
    assert "2 of 2 documents could not be indexed anew" in (await system.work(ledger)).message
    assert system.index.ids() == [".", ".."]


async def test_a_rejection_of_before_a_restart_counts(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    """The rejection is on disk and the end is not: the process died in between."""
    system = Serverless(tmp_path, encoders)
    await system.turn()
    await system.hold(*IDS)
    ledger = await system.rebuilt()
    await system.plan(ledger)
    while not any(result.rejected for result in ledger.results.values()):
        for key in list(ledger.open):
            if key in ledger.open:
                await system._part(ledger, str(key), broken="e")
        await system.supervisor._settle_exhausted(ledger)
    assert ledger.end is None
    restarted = Serverless(tmp_path, encoders, system.index)
    await restarted.turn()
    again = restarted.book.get(ledger.manifest.id)
    job = await restarted.work(again)
    assert (job.state, job.counts.rejected) == ("failed", 1)
    assert restarted.index.ids() == IDS
    assert len(await restarted.index.physicals()) == 1


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [
        (JobMode.UPSERT, "the job stopped;"),
        (JobMode.REBUILD, "nothing was indexed."),
        (JobMode.IMPORT, "nothing was indexed."),
    ],
)
@pytest.mark.parametrize("most", [None, 0, 1])
async def test_what_parts_reject_counts_in_every_mode(
    tmp_path: Path, encoders: EncoderDirectories, mode: JobMode, outcome: str, most: int | None
) -> None:
    """The documents are `a` to `h` in parts of two, and the workers fail on `e` and `g`."""
    system = Serverless(tmp_path, encoders)
    await system.turn()
    if mode is not JobMode.IMPORT:
        await system.hold("old")
    ledger = await system.submitted(*"abcdefgh", mode=mode, max_errors=most)
    await system.plan(ledger)
    job = await system.work(ledger, broken="eg")
    if most is None:
        assert (job.state, job.counts.rejected) == ("succeeded_with_errors", 2)
        return
    assert job.state == "failed"
    assert f"More than {most} lines were rejected, so {outcome}" in job.message
    assert "cannot be indexed: it hurts" in job.message
    assert job.counts.rejected > most
    live = system.index.ids()
    if mode is JobMode.UPSERT:
        assert f"{job.counts.indexed} of its documents are in the collection." in job.message
        assert 0 < job.counts.indexed == len(live) - 1 < 8
    else:
        assert (job.counts.indexed, live) == (0, ["old"] if mode is JobMode.REBUILD else [])


async def test_a_part_that_is_being_written_at_that_moment_counts(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    ledger = await system.submitted(*"abcd", max_errors=0)
    await system.plan(ledger)
    first, second = list(ledger.open)
    await system.leases.claim(ledger.manifest.id, str(first), system.claim)
    lease = ledger.open[first].lease
    assert lease is not None
    lease.writing = True
    for _ in range(30):
        for key in list(ledger.open):
            if key.part == second.part and key in ledger.open:
                await system._part(ledger, str(key), broken="c")
        await system.turn()
    assert (ledger.counts().rejected, ledger.end) == (1, None)
    live = system.index.live[NAME]
    await system.index.upsert(live, [row("a", encoders)], ledger.manifest.version)
    lease.writing = False
    job = await system.work(ledger)
    assert (job.state, job.counts.indexed) == ("failed", 2)
    assert system.index.ids() == ["a", "d"]


async def test_a_job_that_stopped_is_retried_once_its_documents_can_be_indexed(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    ledger = await system.submitted(*IDS, max_errors=0)
    await system.plan(ledger)
    assert (await system.work(ledger, broken="a")).state == "failed"
    await system.acceptance.retry(ledger)
    job = await system.work(ledger)
    assert (job.state, job.counts.indexed) == ("succeeded", len(IDS))
    assert system.index.ids() == IDS
