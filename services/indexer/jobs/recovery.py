"""Reads all jobs back from their objects, after a restart or when the writer's role changes."""

import logging

from pydantic import ValidationError

from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.ledger import JobLedger

logger = logging.getLogger(__name__)


def recovered(files: JobFiles, *, remove: bool) -> list[JobLedger]:
    """The ledgers of all accepted jobs; with `remove`, uploads that were never accepted are
    removed. What a kill has left of jobs that have ended is removed in any case.

    Raises Unavailable.
    """
    ledgers = []
    for job_id in files.ids():
        try:
            ledger = _read(files, job_id)
        except ValidationError:
            # Another version wrote the job, or the disk damaged it; the other jobs are read.
            logger.exception("a job cannot be read and is left out", extra={"job": job_id})
            continue
        if ledger is not None:
            ledgers.append(ledger)
            if ledger.end is not None:
                files.drop_spent(job_id, ledger.plan, ledger.end)
        elif remove:
            logger.info("an upload that was never accepted is removed", extra={"job": job_id})
            files.forget(job_id)
    return ledgers


def _read(files: JobFiles, job_id: str) -> JobLedger | None:
    """The ledger of a job; None if it was never accepted. Raises ValidationError, Unavailable."""
    manifest = files.manifest(job_id)
    if manifest is None:
        return None
    return JobLedger.recover(
        manifest,
        files.plan(job_id),
        files.results(job_id),
        files.splits(job_id),
        cancelling=files.cancelled(job_id),
        end=files.end(job_id),
        attempts=files.attempts(job_id),
    )
