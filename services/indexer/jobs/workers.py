"""The service's side of the work: claims, renewals and results of workers."""

import time
from dataclasses import dataclass, field

from services.common.errors import EncoderMismatch, MalformedRequest, Unavailable
from services.common.wire.jobs import JobMode
from services.indexer.index.collections import Collections
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.finish import JobFinisher
from services.indexer.jobs.ledger import PLANNING, JobLedger, LeaseLost
from services.indexer.jobs.manifest import PartKey, PartResult, now
from services.indexer.rows import Row
from services.indexer.work.wire import Claim, Failure, Granted, Planned, Renewal

SILENT_SECONDS = 10.0


@dataclass(slots=True)
class Workers:
    """Who was heard of when. In memory: after a restart they are heard of again at once."""

    expected: int
    _heard: dict[str, float] = field(default_factory=dict)

    def heard(self, worker: str) -> None:
        self._heard[worker] = time.monotonic()

    def alive(self) -> int:
        limit = time.monotonic() - SILENT_SECONDS
        self._heard = {name: at for name, at in self._heard.items() if at > limit}
        return len(self._heard)

    async def check(self) -> None:
        """Raises Unavailable when fewer are alive than expected."""
        if (alive := self.alive()) < self.expected:
            raise Unavailable(f"{alive} of {self.expected} workers are alive; bulk jobs wait.")


@dataclass(slots=True)
class WorkDesk:
    """Hands out parts and takes in what became of them. Every method raises LeaseLost."""

    book: JobBook
    workers: Workers
    collections: Collections
    writer: IndexWriter
    finisher: JobFinisher
    lease_seconds: float
    part_documents: int

    def claim(self, job_id: str, part: str, asked: Claim) -> Granted:
        """Raises EncoderMismatch when the worker has another encoder than this service."""
        self.workers.heard(asked.worker)
        encoding = self.collections.encoding
        if asked.encoder != encoding.encoder:
            raise EncoderMismatch(
                f"The worker has encoder {asked.encoder}, the indexer {encoding.encoder};"
                " deploy one model to both."
            )
        ledger, key = self._ledger(job_id, part)
        lease = ledger.claim(key, asked.worker, self.book.clock(), self.lease_seconds)
        if ledger.started_at is None:
            ledger.started_at = now()
        self.book.touch()
        return Granted(
            token=lease.token,
            lease_seconds=self.lease_seconds,
            manifest=ledger.manifest,
            plan_token=ledger.plan.token if ledger.plan else None,
            dimension=encoding.dimension,
            analyzer=self.collections.analyzers.of(ledger.manifest.collection).identity,
            part_documents=self.part_documents,
        )

    def renew(self, job_id: str, part: str, renewal: Renewal) -> None:
        self.workers.heard(renewal.worker)
        ledger, key = self._ledger(job_id, part)
        ledger.renew(key, renewal.token, renewal.worker, self.book.clock(), self.lease_seconds)
        if renewal.read > ledger.read:
            ledger.read = renewal.read
            self.book.touch()

    def release(self, job_id: str, part: str, token: str) -> None:
        ledger, key = self._ledger(job_id, part)
        ledger.release(key, token)
        self.book.touch()

    def fail(self, job_id: str, part: str, failure: Failure) -> None:
        ledger, key = self._ledger(job_id, part)
        ledger.failed(key, failure.token, failure.reason)
        self.book.touch()

    async def planned(self, job_id: str, planned: Planned, worker: str) -> None:
        """A plan counts once; a planner that comes too late has planned for nobody."""
        ledger = self.book.get(job_id)
        if ledger.plan is not None and planned.plan is not None:
            if ledger.plan.token == planned.token:
                return
            raise LeaseLost("The input was planned by another worker.")
        clock = self.book.clock()
        lease = ledger.renew(PLANNING, planned.token, worker, clock, self.lease_seconds)
        lease.writing = True
        try:
            if planned.plan is not None:
                await self.book.planned(ledger, planned.plan)
            else:
                await self.finisher.failed(
                    ledger,
                    planned.message,
                    planner=planned.token,
                    read=planned.read,
                    rejected=planned.rejected,
                )
        finally:
            lease.writing = False

    async def written(
        self, job_id: str, part: str, token: str, worker: str, rows: list[Row]
    ) -> None:
        """Writes a part's rows and records its result; the same part twice changes nothing."""
        ledger, key = self._ledger(job_id, part)
        if key in ledger.results:
            return
        lease = ledger.renew(key, token, worker, self.book.clock(), self.lease_seconds)
        if lease.writing:
            raise Unavailable("The part is being written.", retry_after=1)
        if len(rows) != key.documents:
            raise MalformedRequest(f"The part has {key.documents} documents, not {len(rows)}.")
        dimension = self.collections.encoding.dimension
        if any(row.vector.shape != (dimension,) for row in rows):
            raise MalformedRequest(f"Its vector has not the encoder's dimension, {dimension}.")
        manifest = ledger.manifest

        def wanted() -> None:
            if ledger.cancelling:
                raise LeaseLost("The job is being cancelled.")

        lease.writing = True
        try:
            if manifest.mode is JobMode.REBUILD:
                physical = self.collections.physical(manifest.collection, manifest.version)
                await self.writer.write_build(
                    manifest.collection, physical, rows, manifest.version, wanted
                )
            else:
                await self.writer.write_part(manifest.collection, rows, manifest.version, wanted)
            await self.book.finish(ledger, key, PartResult(indexed=len(rows)))
        finally:
            lease.writing = False
            lease.expires = self.book.clock() + self.lease_seconds
            self.book.touch()  # a cancelled job waits for this write to end

    def _ledger(self, job_id: str, part: str) -> tuple[JobLedger, PartKey]:
        if not self.book.loaded:
            raise Unavailable("The indexer is starting.", retry_after=1)
        key = PLANNING if part == "plan" else PartKey.parse(part)
        if key is None:
            raise MalformedRequest(f"{part[:80]!r} names no part.")
        return self.book.get(job_id), key
