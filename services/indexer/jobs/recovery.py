"""Reads all jobs back from their objects, after a restart or when the writer's role changes."""

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pydantic import ValidationError

from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.ledger import JobLedger

logger = logging.getLogger(__name__)


_AT_ONCE = 16
"""Number of jobs that are read at the same time. Reading one takes some ten calls of the storage,
one after the other, which at an object store are waits for its answers."""


def recovered(files: JobFiles, *, remove: bool) -> list[JobLedger]:
    """The ledgers of all accepted jobs; with `remove`, uploads that were never accepted are
    removed. What a kill has left of jobs that have ended is removed in any case.

    Raises Unavailable.
    """
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="recovery") as pool:
        ledgers = pool.map(partial(_recovered, files, remove), files.ids())
        return [ledger for ledger in ledgers if ledger is not None]


def _recovered(files: JobFiles, remove: bool, job_id: str) -> JobLedger | None:
    """The ledger of one job; None if it was never accepted or cannot be read. Raises
    Unavailable."""
    try:
        ledger = _read(files, job_id)
    except ValidationError:
        # Another version wrote the job, or the disk damaged it; the other jobs are read.
        logger.exception("a job cannot be read and is left out", extra={"job": job_id})
        return None
    if ledger is not None:
        if ledger.end is not None:
            files.drop_spent(job_id, ledger.plan, ledger.end)
    elif remove:
        logger.info("an upload that was never accepted is removed", extra={"job": job_id})
        files.forget(job_id)
    return ledger


def _read(files: JobFiles, job_id: str) -> JobLedger | None:
    """The ledger of a job; None if it was never accepted. Raises ValidationError, Unavailable."""
    manifest = files.manifest(job_id)
    if manifest is None:
        return None
    end = files.end(job_id)
    return JobLedger.recover(
        manifest,
        files.plan(job_id),
        files.results(job_id),
        files.splits(job_id) if end is None else set(),
        cancelling=files.cancelled(job_id),
        end=end,
        attempts=files.attempts(job_id) if end is None else None,
    )
