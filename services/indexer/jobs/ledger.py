"""The ledger of one job: which parts are open, who holds them, what came of them.

Pure state with an explicit clock; `JobBook` makes its changes durable. It is kept by one
process (docs/adr/0009), so a check and the change that follows it cannot be interleaved.
"""

import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from services.common.errors import Conflict
from services.common.wire.jobs import Job, JobCounts, JobState
from services.indexer.jobs.manifest import (
    JobEnd,
    JobManifest,
    PartKey,
    PartResult,
    Plan,
)

MAX_ATTEMPTS = 3
"""Then a part is halved; a single document is rejected."""
PLANNING_ATTEMPTS = 12
"""Planning cannot be halved, and its failure is the job's: several dead workers are no proof."""
RATE_SECONDS = 30.0
PLANNING = PartKey(999_999_999, 0, 0)
"""Stands for the planning of the input, which is leased like a part."""


class LeaseLost(Conflict):
    code, title = "lease_lost", "The part was given to another worker, or is done"


@dataclass(slots=True)
class Lease:
    token: str
    worker: str
    expires: float
    writing: bool = False
    """Its rows are being written: the lease cannot run out until that has ended."""


@dataclass(slots=True)
class OpenPart:
    """A part that has no result yet."""

    attempts: int = 0
    lease: Lease | None = None
    queued_at: float | None = None
    """When a message for it was put into the queue; None when one is needed."""
    reason: str = ""
    """Why the last attempt failed."""


@dataclass(slots=True)
class JobLedger:
    """All times are seconds of a monotonic clock, except the datetimes."""

    manifest: JobManifest
    plan: Plan | None = None
    results: dict[PartKey, PartResult] = field(default_factory=dict)
    open: dict[PartKey, OpenPart] = field(default_factory=dict)
    end: JobEnd | None = None
    cancelling: bool = False
    started_at: datetime | None = None
    read: int = 0
    """While it is being planned."""
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    @classmethod
    def recover(
        cls,
        manifest: JobManifest,
        plan: Plan | None,
        results: dict[PartKey, PartResult],
        splits: set[PartKey],
        *,
        cancelling: bool,
        end: JobEnd | None,
    ) -> "JobLedger":
        """The ledger as its durable objects give it; leases and attempts start anew."""
        ledger = cls(manifest, plan, results, end=end, cancelling=cancelling)
        if plan is not None:
            ledger.started_at = manifest.created_at
        if end is None:
            ledger.reopen(splits)
        return ledger

    def reopen(self, splits: set[PartKey]) -> None:
        self.open = {}
        if self.plan is None:
            self.open[PLANNING] = OpenPart()
            return
        waiting = self.plan.keys()[::-1]
        while waiting:
            key = waiting.pop()
            if key in splits:
                waiting.extend(key.halves()[::-1])
            elif key not in self.results:
                self.open[key] = OpenPart()

    def planned(self, plan: Plan) -> None:
        self.plan = plan
        self.reopen(set())

    @property
    def complete(self) -> bool:
        """Every part has a result, and the end is still to be recorded."""
        return self.end is None and self.plan is not None and not self.open

    @property
    def writing(self) -> bool:
        return any(part.lease and part.lease.writing for part in self.open.values())

    def claim(self, key: PartKey, worker: str, now: float, seconds: float) -> Lease:
        """Raises LeaseLost when there is nothing to do for this worker."""
        part = self.open.get(key)
        if self.end is not None or self.cancelling or part is None:
            raise LeaseLost("There is nothing left to do here.")
        if part.lease is not None and (part.lease.writing or part.lease.expires > now):
            raise LeaseLost("Another worker is at it.")
        if part.lease is not None:
            self._lost(part)
        part.attempts += 1
        part.queued_at = now
        part.lease = Lease(secrets.token_hex(8), worker, now + seconds)
        return part.lease

    def renew(self, key: PartKey, token: str, worker: str, now: float, seconds: float) -> Lease:
        """Raises LeaseLost. A part that nobody holds is given back to whom it belonged: after
        a restart of the service workers go on with what they have."""
        part = self.open.get(key)
        if self.end is not None or self.cancelling or part is None:
            raise LeaseLost("There is nothing left to do here.")
        if part.lease is None:
            if part.attempts:
                raise LeaseLost("The lease ran out.")
            part.lease = Lease(token, worker, now + seconds)
            part.attempts, part.queued_at = 1, now
        if part.lease.token != token:
            raise LeaseLost("Another worker is at it.")
        part.lease.expires = max(part.lease.expires, now + seconds)
        return part.lease

    def release(self, key: PartKey, token: str) -> None:
        """The worker stops in good order; no attempt is counted."""
        part = self.open.get(key)
        if part is not None and part.lease is not None and part.lease.token == token:
            part.lease, part.queued_at = None, None
            part.attempts -= 1

    def failed(self, key: PartKey, token: str, reason: str) -> None:
        """The worker could not do it. Raises LeaseLost when it no longer holds it."""
        part = self.open.get(key)
        if part is None or part.lease is None or part.lease.token != token:
            raise LeaseLost("The lease ran out.")
        self._lost(part)
        part.reason = reason

    def expire(self, now: float) -> None:
        """Takes parts from workers that have fallen silent."""
        for part in self.open.values():
            if part.lease and not part.lease.writing and part.lease.expires <= now:
                self._lost(part)

    def exhausted(self) -> list[PartKey]:
        """Parts that have been tried often enough and that nobody holds."""
        return [
            key
            for key, part in self.open.items()
            if part.lease is None
            and part.attempts >= (PLANNING_ATTEMPTS if key == PLANNING else MAX_ATTEMPTS)
        ]

    def split(self, key: PartKey) -> None:
        reason = self.open.pop(key).reason
        for half in key.halves():
            self.open[half] = OpenPart(reason=reason)

    def finish(self, key: PartKey, result: PartResult, now: float) -> None:
        """Records a result; the same part twice counts once."""
        self.open.pop(key, None)
        self.results[key] = result
        self._recent.append((now, key.documents))

    def counts(self) -> JobCounts:
        if self.end is not None:
            return self.end.counts
        if self.plan is None:
            return JobCounts(read=self.read)
        failed = sum(len(result.rejected) for result in self.results.values())
        return JobCounts(
            read=self.plan.read,
            indexed=sum(result.indexed for result in self.results.values()),
            rejected=self.plan.rejected + failed,
            deduplicated=self.plan.deduplicated,
        )

    @property
    def state(self) -> JobState:
        if self.end is not None:
            return self.end.state
        if self.cancelling:
            return JobState.CANCELLING
        return JobState.RUNNING if self.started_at else JobState.QUEUED

    def rate(self, now: float) -> float | None:
        """Documents a second over the last half minute; None when there is nothing to say."""
        while self._recent and self._recent[0][0] < now - RATE_SECONDS:
            self._recent.popleft()
        if self.end is not None or len(self._recent) < 2:
            return None
        seconds = now - self._recent[0][0]
        documents = sum(count for _, count in list(self._recent)[1:])
        return documents / seconds if seconds > 0 else None

    def report(self, now: float) -> Job:
        """What users see."""
        counts, rate = self.counts(), self.rate(now)
        left = sum(key.documents for key in self.open) if self.plan else None
        eta = left / rate if left and rate else None
        manifest = self.manifest
        return Job(
            id=manifest.id,
            collection=manifest.collection,
            mode=manifest.mode,
            format=manifest.format,
            state=self.state,
            counts=counts,
            total=self.plan.read if self.plan else None,
            rate=None if rate is None else round(rate, 1),
            eta_seconds=None if eta is None else round(eta, 1),
            created_at=manifest.created_at,
            started_at=self.started_at,
            finished_at=self.end.finished_at if self.end else None,
            message=self.end.message if self.end else "",
        )

    def _lost(self, part: OpenPart) -> None:
        part.lease, part.queued_at = None, None
        if not part.reason:
            part.reason = "the worker fell silent while it worked on it"
