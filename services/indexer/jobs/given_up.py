"""Makes the single document of a part that failed too often into a rejected line."""

from services.common.errors import MalformedRequest
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import PartKey, PartResult, Rejection
from services.indexer.store import NoSuchObject
from services.indexer.tables import unpack_planned

_LOST = "has lost a document, since the part that held it"


def given_up(files: JobFiles, ledger: JobLedger, key: PartKey, reason: str) -> PartResult:
    """The result of a part of one document that kept failing. Raises Unavailable.

    A part that is missing or damaged is one of the reasons for failing; then nothing is known of
    its document.
    """
    assert ledger.plan is not None  # noqa: S101 - parts exist after planning only
    try:
        content = files.part(ledger.manifest.id, ledger.plan.token, key.part)
        [planned] = unpack_planned(content, key.start, key.stop)
    except NoSuchObject:
        rejection = Rejection(line=0, reason=f"{_LOST} is missing in the storage")
    except MalformedRequest:
        rejection = Rejection(line=0, reason=f"{_LOST} is damaged in the storage")
    else:
        rejection = Rejection(
            line=planned.line, reason=f"cannot be indexed: {reason}", content=planned.document.id
        )
    return PartResult(indexed=0, rejected=[rejection])
