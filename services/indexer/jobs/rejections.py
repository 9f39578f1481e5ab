"""Reads the rejected lines of a job."""

from collections.abc import Iterator

from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import Rejection
from services.indexer.store import NoSuchObject


def rejections_of(files: JobFiles, ledger: JobLedger) -> Iterator[Rejection]:
    """All rejected lines: those of planning, then those of parts.

    It reads the storage while it is iterated over. Raises Unavailable.
    """
    token = ledger.plan.token if ledger.plan else ledger.end.planner if ledger.end else None
    if token is not None:
        try:
            with files.rejected(ledger.manifest.id, token) as stream:
                for line in stream:
                    yield Rejection.model_validate_json(line)
        except NoSuchObject:
            pass
    for result in list(ledger.results.values()):
        yield from result.rejected
