"""Damaged records of one job keep no other job from being read, and no write from being made."""

from pathlib import Path

import pytest

from services.common.wire.input_formats import InputFormat
from services.common.wire.jobs import JobCounts, JobMode, JobState
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.manifest import (
    Attempts,
    JobEnd,
    JobManifest,
    PartKey,
    PartResult,
    Plan,
    now,
)
from services.indexer.store import ObjectStore

PART = PartKey(0, 0, 4)
PLAN = Plan(token="p", parts=[4, 2], read=6, rejected=0, deduplicated=0)
DAMAGES = {
    "empty": b"",
    "zeros": bytes(64),
    "cut off": b'{"id": "dam',
    "no text": b"\xff\xfe\x00",
    "another object": b"[]",
}


def written(files: JobFiles, job_id: str) -> None:
    """A job with every kind of record."""
    files.write_manifest(
        JobManifest(
            id=job_id,
            collection="papers",
            mode=JobMode.UPSERT,
            format=InputFormat.JSONL,
            version=7,
            created_at=now(),
        )
    )
    files.write_plan(job_id, PLAN)
    files.write_result(job_id, PART, PartResult(indexed=4))
    files.write_attempts(job_id, PLAN.keys()[1], Attempts(attempts=1))
    files.write_split(job_id, PLAN.keys()[1])
    files.write_cancel(job_id)
    counts = JobCounts(read=6, indexed=4)
    files.write_end(job_id, JobEnd(state=JobState.CANCELLED, counts=counts, finished_at=now()))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    ("record", "left_out"),
    [
        ("manifest.json", True),
        ("plan.json", True),
        ("end.json", True),
        (f"results/{PART}.json", False),
        (f"attempts/{PLAN.keys()[1]}.json", False),
    ],
)
async def test_the_other_jobs_are_read(
    record: str, left_out: bool, damage: str, tmp_path: Path
) -> None:
    files = JobFiles(ObjectStore(str(tmp_path)))
    for job_id in ("damaged", "whole"):
        written(files, job_id)
    path = tmp_path / "jobs" / "damaged" / record
    assert path.read_bytes()
    path.write_bytes(DAMAGES[damage])
    book = JobBook(files)
    await book.load()
    assert book.loaded
    read = {ledger.manifest.id for ledger in book.all()}
    assert read == ({"whole"} if left_out else {"damaged", "whole"})
    assert (tmp_path / "jobs" / "damaged").is_dir()


async def test_a_part_whose_result_is_damaged_is_done_again(tmp_path: Path) -> None:
    files = JobFiles(ObjectStore(str(tmp_path)))
    written(files, "job")
    for name in ("cancel", "end.json"):
        (tmp_path / "jobs" / "job" / name).unlink()
    files.store.remove("jobs/job/splits")
    (tmp_path / "jobs" / "job" / "results" / f"{PART}.json").write_bytes(b"")
    book = JobBook(files)
    await book.load()
    [ledger] = book.all()
    assert set(ledger.open) == set(PLAN.keys())
