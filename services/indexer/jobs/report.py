"""The report of a job for its users, made from its ledger."""

from services.common.wire.jobs import Job
from services.indexer.jobs.ledger import JobLedger


def report_of(ledger: JobLedger, now: float) -> Job:
    """The report of a job at `now`, a time of the monotonic clock in seconds."""
    plan, end, manifest = ledger.plan, ledger.end, ledger.manifest
    rate = ledger.pace.rate(now) if end is None else None
    left = sum(key.documents for key in ledger.open) if plan else None
    eta = left / rate if left and rate else None
    return Job(
        id=manifest.id,
        collection=manifest.collection,
        mode=manifest.mode,
        format=manifest.format,
        name=manifest.name,
        charset=None if manifest.format.binary else manifest.charset,
        columns=manifest.mapping.named_otherwise(),
        state=ledger.state,
        counts=ledger.counts(),
        total=plan.read if plan else None,
        rate=None if rate is None else round(rate, 1),
        eta_seconds=None if eta is None else round(eta, 1),
        created_at=manifest.created_at,
        started_at=ledger.started_at,
        finished_at=end.finished_at if end else None,
        message=end.message if end else _message(ledger),
    )


def _message(ledger: JobLedger) -> str:
    """The present step of the job itself, or the reason why the job waits, as a sentence; empty if
    there is neither."""
    if ledger.step:
        return ledger.step
    waits = [ledger.waiting, *(part.waiting for part in ledger.open.values() if not part.lease)]
    longest = max((one for one in waits if one), key=lambda one: one.tries, default=None)
    return longest.message if longest else ""
