"""The indexer's side of the work: claims, renewals and results of workers."""

import time
from dataclasses import dataclass, field

from services.common.collection import Field
from services.common.errors import EncoderMismatch, LeaseLost, MalformedRequest, Unavailable
from services.common.wire.jobs import JobMode
from services.indexer.index.collections.collections import Collections
from services.indexer.index.writer import IndexWriter, OtherEncoders
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.finish import JobFinisher
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import PartKey, PartResult, now
from services.indexer.jobs.parts import PLANNING
from services.indexer.jobs.waiting import reason_of
from services.indexer.jobs.wire import (
    Claim,
    Failure,
    Granted,
    Planned,
    Release,
    Renewal,
    StoredRows,
)
from services.indexer.rows import EncodedRows

SILENT_SECONDS = 10.0
"""Seconds without a heartbeat after which a worker does not count as alive."""


@dataclass(slots=True)
class Workers:
    """Time of the last heartbeat per worker. It is kept in memory, since workers beat again soon
    after a restart."""

    expected: int
    _heard: dict[str, float] = field(default_factory=dict)

    def heard(self, worker: str) -> None:
        """Notes that a worker has just called."""
        self._heard[worker] = time.monotonic()

    def alive(self) -> int:
        """Number of workers that called in the last ten seconds."""
        limit = time.monotonic() - SILENT_SECONDS
        self._heard = {name: at for name, at in self._heard.items() if at > limit}
        return len(self._heard)

    async def check(self) -> None:
        """Raises Unavailable if fewer workers are alive than expected."""
        if (alive := self.alive()) < self.expected:
            raise Unavailable(f"{alive} of {self.expected} workers are alive; bulk jobs wait.")


@dataclass(slots=True)
class PartLeases:
    """Leases parts to workers and accepts their results. Every method raises LeaseLost."""

    book: JobBook
    workers: Workers
    collections: Collections
    writer: IndexWriter
    finisher: JobFinisher
    lease_seconds: float
    part_documents: int

    async def claim(self, job_id: str, part: str, claim: Claim) -> Granted:
        """Leases a part to a worker. Raises IndexUnavailable, EncoderMismatch, InvalidRequest.

        A part that may not be leased waits, and its job tells the reason.
        """
        self.workers.heard(claim.worker)
        ledger, key = self._ledger(job_id, part)
        ledger.claimable(key, self.book.clock())
        try:
            return await self._granted(ledger, key, claim)
        except (LeaseLost, Unavailable):
            raise
        except Exception as error:
            ledger.refuse(key, reason_of(error), self.book.clock())
            raise

    async def _granted(self, ledger: JobLedger, key: PartKey, claim: Claim) -> Granted:
        """The lease on a part with all that its work needs.

        What it needs is asked for before the attempt is counted, since something may be away.
        """
        manifest, planning = ledger.manifest, key == PLANNING
        # Planning needs no vectors and no words, and goes on while Milvus is away.
        needed = [] if planning else await self._encoders(ledger)
        if missing := [encoder for encoder in needed if encoder not in claim.encoders]:
            raise EncoderMismatch(
                f"The worker has the encoders {', '.join(claim.encoders)}, and its part needs"
                f" {', '.join(missing)}; deploy the same models to indexer and workers."
            )
        dimension = self.collections.encoders.of(manifest.encoder).dimension
        analyzer = "" if planning else await self._analyzer(ledger)
        columns = None if planning else await self._columns(ledger)
        types = (await self.collections.state(manifest.collection)).types
        partition: dict[str, str] = {}
        if manifest.partition is not None:
            partition = await self.collections.in_partition(manifest.collection, manifest.partition)
        lease = await self.book.claim(ledger, key, claim.worker, self.lease_seconds)
        if ledger.started_at is None:
            ledger.started_at = now()
        return Granted(
            token=lease.token,
            lease_seconds=self.lease_seconds,
            manifest=manifest,
            plan_token=ledger.plan.token if ledger.plan else None,
            dimension=dimension,
            encoders=needed,
            analyzer=analyzer,
            types=dict(types),
            partition=partition,
            part_documents=self.part_documents,
            columns=columns,
        )

    def renew(self, job_id: str, part: str, renewal: Renewal) -> None:
        """Keeps a lease alive and notes the progress of planning."""
        self.workers.heard(renewal.worker)
        ledger, key = self._ledger(job_id, part)
        ledger.renew(key, renewal.token, renewal.worker, self.book.clock(), self.lease_seconds)
        if renewal.read > ledger.read:
            ledger.read = renewal.read
            self.book.touch()

    async def release(self, job_id: str, part: str, release: Release) -> None:
        """Takes a part back from a worker that stops or lacks something it needs."""
        ledger, key = self._ledger(job_id, part)
        await self.book.release(ledger, key, release.token, release.reason)

    async def fail(self, job_id: str, part: str, failure: Failure) -> None:
        """Counts a failed attempt at a part."""
        ledger, key = self._ledger(job_id, part)
        await self.book.failed(ledger, key, failure.token, failure.reason)

    async def planned(self, job_id: str, planned: Planned, worker: str) -> None:
        """Records a plan, or the reason why the input as a whole is unusable; a second plan is
        refused."""
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
        self, job_id: str, part: str, token: str, worker: str, rows: EncodedRows
    ) -> None:
        """Writes a part's rows and records its result; a second call changes nothing.

        If the collection has got another encoder meanwhile, the part goes back and is encoded
        again.
        """
        ledger, key = self._ledger(job_id, part)
        if key in ledger.results:
            return
        lease = ledger.renew(key, token, worker, self.book.clock(), self.lease_seconds)
        if lease.writing:
            raise Unavailable("The part is being written.", retry_after=1)
        for encoder, encoded in rows.items():
            if len(encoded) != key.documents:
                raise MalformedRequest(
                    f"The part has {key.documents} documents, not {len(encoded)}."
                )
            dimension = self.collections.encoders.of(encoder).dimension
            if any(row.vector.shape != (dimension,) for row in encoded):
                raise MalformedRequest(f"Its vector has not the encoder's dimension, {dimension}.")
        manifest = ledger.manifest

        def check() -> None:
            if ledger.closed:
                raise LeaseLost("The job takes no more rows.")

        lease.writing = True
        try:
            if manifest.mode.builds:
                physical = self.finisher.filled(manifest)
                if physical.encoder not in rows:
                    raise MalformedRequest("The rows have vectors of another encoder.")
                await self.writer.write_build(
                    physical, rows[physical.encoder], manifest.version, check
                )
            else:
                await self.writer.write_part(
                    manifest.collection, rows, manifest.version, check, manifest.encoder
                )
            await self.book.finish(ledger, key, PartResult(indexed=key.documents))
        except OtherEncoders as error:
            lease.writing = False
            await self.book.release(ledger, key, token, "")
            raise LeaseLost(error.detail) from error
        finally:
            lease.writing = False
            lease.expires = self.book.clock() + self.lease_seconds
            self.book.touch()  # The cancelling of a job waits for this write to end.

    async def stored(self, job_id: str, part: str, stored: StoredRows) -> None:
        """Records the result of a part whose rows an import takes; a second call changes
        nothing."""
        ledger, key = self._ledger(job_id, part)
        if key in ledger.results:
            return
        clock = self.book.clock()
        lease = ledger.renew(key, stored.token, stored.worker, clock, self.lease_seconds)
        if lease.writing:
            raise Unavailable("The result of the part is being recorded.", retry_after=1)
        lease.writing = True
        try:
            result = PartResult(indexed=key.documents, token=stored.token, passages=stored.passages)
            await self.book.finish(ledger, key, result)
        finally:
            lease.writing = False
            self.book.touch()

    async def _columns(self, ledger: JobLedger) -> list[str] | None:
        """The columns of the collection that an import fills, as far as rows depend on them; None
        for another job, and for a retry of an import: the collection answers by then, and rows are
        written to it."""
        if ledger.manifest.mode is not JobMode.IMPORT:
            return None
        physical, index = self.finisher.filled(ledger.manifest), self.collections.index
        if await index.resolve(physical.name) == physical:
            return None
        words = [Field.WORDS.value] if await index.lexical(physical) else []
        return [*words, *await index.typed(physical)]

    async def _encoders(self, ledger: JobLedger) -> list[str]:
        """The encoders by which the documents of a job must have vectors now."""
        manifest = ledger.manifest
        if manifest.mode.builds:
            return [self.collections.encoders.of(manifest.encoder).fingerprint]
        return await self.writer.encoders(manifest.collection, manifest.version, manifest.encoder)

    async def _analyzer(self, ledger: JobLedger) -> str:
        """Identity of the word analysis by which the documents of a job are cut now."""
        manifest = ledger.manifest
        if manifest.mode.builds:
            return self.finisher.filled(manifest).analyzer
        return (await self.collections.analyzer(manifest.collection)).identity

    def _ledger(self, job_id: str, part: str) -> tuple[JobLedger, PartKey]:
        key = PLANNING if part == "plan" else PartKey.parse(part)
        if key is None:
            raise MalformedRequest(f"{part[:80]!r} names no part.")
        return self.book.get(job_id), key
