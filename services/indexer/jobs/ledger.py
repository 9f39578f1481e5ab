"""The ledger of one job: its parts, their leases and their results.

Pure state with an explicit clock; `JobBook` makes its changes durable. It is kept by one
process (docs/adr/0009), so a check and the change that follows it cannot be interleaved.

An attempt at a part ends in one of four ways. It succeeds; the worker falls silent or reports a
failure, which counts as an attempt; the worker stops in good order, which counts for nothing; or
something that the work needs is away, after which the part waits for a time that grows. Attempts
are durable, so that a part that takes the whole machine down is found out too.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.common.errors import LeaseLost
from services.common.wire.jobs import JobCounts, JobState
from services.indexer.jobs.manifest import (
    Attempts,
    JobEnd,
    JobManifest,
    PartKey,
    PartResult,
    Plan,
)
from services.indexer.jobs.pace import Pace
from services.indexer.jobs.parts import PLANNING, Lease, OpenPart, most_attempts
from services.indexer.jobs.waiting import Waiting

RECOVERY_SECONDS = 30.0
"""Seconds after a restart of the service in which a worker must renew the lease that it still has.
"""


@dataclass(slots=True)
class JobLedger:
    """The state of one job. All times are seconds of a monotonic clock, except the datetimes."""

    manifest: JobManifest
    plan: Plan | None = None
    results: dict[PartKey, PartResult] = field(default_factory=dict)
    open: dict[PartKey, OpenPart] = field(default_factory=dict)
    end: JobEnd | None = None
    cancelling: bool = False
    started_at: datetime | None = None
    read: int = 0
    """Number of lines read so far while the input is being planned."""
    waiting: Waiting | None = None
    """The pause of a step of the job itself, such as its end; None if no step waits."""
    faults: int = 0
    """Unexpected errors of such steps in a row."""
    pace: Pace = field(default_factory=Pace)
    step: str = ""
    """How far a long step of the job itself is, as a sentence: the comparison of a rebuild with the
    index before, or Milvus's import of the rows; empty unless one is under way."""

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
        attempts: Mapping[PartKey, Attempts] | None = None,
    ) -> "JobLedger":
        """The ledger that the durable objects of a job give; leases start anew."""
        ledger = cls(manifest, plan, results, end=end, cancelling=cancelling)
        if plan is not None:
            ledger.started_at = manifest.created_at
        if end is None:
            ledger.reopen(splits, attempts)
        return ledger

    def reopen(
        self, splits: set[PartKey], attempts: Mapping[PartKey, Attempts] | None = None
    ) -> None:
        """Opens every part that has no result, with the attempts that were made at it before."""
        before = attempts or {}
        self.open, self.waiting, self.faults = {}, None, 0
        if self.plan is None:
            self.open[PLANNING] = OpenPart.recovered(before.get(PLANNING))
            return
        waiting = self.plan.keys()[::-1]
        while waiting:
            key = waiting.pop()
            if key in splits:
                waiting.extend(key.halves()[::-1])
            elif key not in self.results:
                self.open[key] = OpenPart.recovered(before.get(key))

    def planned(self, plan: Plan) -> None:
        """Records the plan of the input: its parts are open now."""
        self.plan = plan
        self.reopen(set())

    @property
    def complete(self) -> bool:
        """Whether nothing but the end is left to do: every part has a result, or too many lines
        were rejected and no row is being written."""
        if self.end is not None or self.plan is None:
            return False
        return not self.open or (self.rejects_too_many and not self.writing)

    @property
    def has_all_results(self) -> bool:
        """Whether no part lacks a result, as it does if a crash interrupted a retry of the job."""
        done = sum(key.documents for key in self.results)
        return self.plan is None or done >= self.plan.documents

    @property
    def rejects_too_many(self) -> bool:
        """Whether planning and parts have rejected more lines than the job may."""
        most = self.manifest.most_rejected
        return most is not None and self.plan is not None and self.counts().rejected > most

    @property
    def closed(self) -> bool:
        """Whether no work on the job is accepted any more."""
        return self.end is not None or self.cancelling or self.rejects_too_many

    @property
    def writing(self) -> bool:
        """Whether rows of the job are being written now."""
        return any(part.lease and part.lease.writing for part in self.open.values())

    def claim(self, key: PartKey, worker: str, now: float, seconds: float) -> Lease:
        """Leases a part to a worker. Raises LeaseLost if there is nothing to do for it."""
        part = self.claimable(key, now)
        if part.lease is not None:
            self._lost(part)
        part.attempts += 1
        part.queued_at, part.former_token = now, ""
        part.lease = Lease(secrets.token_hex(8), worker, now + seconds)
        return part.lease

    def claimable(self, key: PartKey, now: float) -> OpenPart:
        """A part that may be leased to a worker. Raises LeaseLost if there is nothing to do for
        it."""
        part = self.open.get(key)
        if self.closed or part is None:
            raise LeaseLost("The part is done, or its job has ended.")
        if part.lease is not None and (part.lease.writing or part.lease.expires > now):
            raise LeaseLost("Another worker holds the part.")
        return part

    def renew(self, key: PartKey, token: str, worker: str, now: float, seconds: float) -> Lease:
        """Renews a lease. Raises LeaseLost.

        After a restart of the indexer no lease is known; the worker that held the part continues
        with it.
        """
        part = self.open.get(key)
        if self.closed or part is None:
            raise LeaseLost("The part is done, or its job has ended.")
        if part.lease is None:
            if part.former_token != token if part.former_token else part.attempts:
                raise LeaseLost("The lease of the part has ended.")
            part.lease = Lease(token, worker, now + seconds)
            part.attempts, part.queued_at = max(1, part.attempts), now
        if part.lease.token != token:
            raise LeaseLost("Another worker holds the part.")
        part.lease.expires = max(part.lease.expires, now + seconds)
        return part.lease

    def release(self, key: PartKey, token: str) -> None:
        """Takes back a part whose worker stops in good order; no attempt is counted."""
        part = self.open.get(key)
        if part is not None and part.lease is not None and part.lease.token == token:
            part.lease, part.queued_at = None, None
            part.attempts -= 1

    def postpone(self, key: PartKey, token: str, reason: str, now: float) -> None:
        """Takes back a part whose worker lacks something that it needs.

        No attempt is counted, and the part waits.
        """
        part = self.open.get(key)
        if part is not None and part.lease is not None and part.lease.token == token:
            part.waiting = Waiting.after(part.waiting, reason, now)
            self.release(key, token)

    def refuse(self, key: PartKey, reason: str, now: float) -> None:
        """Makes a part wait whose worker may not claim it; another worker may."""
        part = self.open.get(key)
        if part is not None and part.lease is None:
            part.waiting, part.queued_at = Waiting.after(part.waiting, reason, now), None

    def failed(self, key: PartKey, token: str, reason: str, now: float = 0.0) -> None:
        """Counts a failed attempt of a worker. Raises LeaseLost if the worker no longer holds the
        part."""
        part = self.open.get(key)
        if part is None or part.lease is None or part.lease.token != token:
            raise LeaseLost("The lease of the part has ended.")
        self._lost(part)
        part.reason = reason
        limit = most_attempts(key)
        message = f"{_sentence(reason)} That was attempt {part.attempts} of {limit}."
        part.waiting = Waiting.after(part.waiting, message, now)

    def expire(self, now: float) -> None:
        """Takes parts from workers that have fallen silent."""
        for part in self.open.values():
            if part.lease and not part.lease.writing and part.lease.expires <= now:
                self._lost(part)
            if part.former_token and part.recovered_at is None:
                part.recovered_at = now
            elif part.recovered_at is not None and now - part.recovered_at > RECOVERY_SECONDS:
                part.former_token, part.recovered_at = "", None

    def exhausted(self) -> list[PartKey]:
        """Parts that have used up their attempts and that no worker holds."""
        return [
            key
            for key, part in self.open.items()
            if part.lease is None and not part.former_token and part.attempts >= most_attempts(key)
        ]

    def due(self, now: float) -> list[tuple[PartKey, OpenPart]]:
        """Parts that a worker may take now, in order."""
        return [
            (key, part)
            for key, part in self.open.items()
            if part.lease is None
            and part.attempts < most_attempts(key)
            and (part.waiting is None or part.waiting.over(now))
        ]

    def hopeless(self, now: float) -> str:
        """The reason for which the job has waited too long; empty if it has not."""
        waits = [self.waiting, *(part.waiting for part in self.open.values())]
        return next((one.reason for one in waits if one and one.hopeless(now)), "")

    def split(self, key: PartKey) -> None:
        """Replaces a part by its halves, which are tried anew."""
        reason = self.open.pop(key).reason
        for half in key.halves():
            self.open[half] = OpenPart(reason=reason)

    def finish(self, key: PartKey, result: PartResult, now: float) -> None:
        """Records a result; a second result of the same part changes nothing."""
        self.open.pop(key, None)
        self.results[key] = result
        self.pace.ended(now, key.documents)

    def proceeds(self, words: str) -> None:
        """Records how far a long step of the job itself is."""
        self.step = words

    def counts(self) -> JobCounts:
        """The documents read, indexed, rejected and deduplicated so far."""
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
        """The state of the job for users."""
        if self.end is not None:
            return self.end.state
        if self.cancelling:
            return JobState.CANCELLING
        return JobState.RUNNING if self.started_at else JobState.QUEUED

    def _lost(self, part: OpenPart) -> None:
        part.lease, part.queued_at = None, None
        if not part.reason:
            part.reason = "the worker fell silent while it worked on it"


def _sentence(reason: str) -> str:
    return reason[:1].upper() + reason[1:].rstrip(".") + "."
