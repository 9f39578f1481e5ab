"""Ends jobs: counts them, moves their collection's version, checks and switches rebuilds."""

import asyncio
import json

from services.common.collection import PhysicalName
from services.common.wire.jobs import JobCounts, JobMode, JobState
from services.indexer.index.imports.imports import Imports
from services.indexer.index.rebuild import RebuildRefused, Rebuilds
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.importing import stored_tables
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import JobEnd, JobManifest, RejectionKind, now
from services.indexer.jobs.reasons import RejectionKinds, summary, too_many, unit
from services.indexer.rows import Row


class JobFinisher:
    """Ends jobs. Every step can be interrupted and repeated."""

    def __init__(
        self, book: JobBook, writer: IndexWriter, rebuilds: Rebuilds, imports: Imports
    ) -> None:
        self._book = book
        self._writer = writer
        self._rebuilds = rebuilds
        self._imports = imports

    def filled(self, manifest: JobManifest) -> PhysicalName:
        """The physical collection that a rebuild or an import fills."""
        return self._writer.collections.physical(
            manifest.collection, manifest.version, manifest.encoder, manifest.analyzer
        )

    async def begin(self, ledger: JobLedger) -> None:
        """Prepares what a rebuild or an import needs before its first part, also after a
        restart."""
        manifest = ledger.manifest
        if manifest.mode is JobMode.IMPORT:
            await self._imports.begin(self.filled(manifest))
        if manifest.mode is not JobMode.REBUILD:
            return
        since = 0 if manifest.from_collection else manifest.version
        await self._rebuilds.begin(self.filled(manifest), since)
        if manifest.from_collection and ledger.plan is None:
            await self._export(ledger)

    async def end(self, ledger: JobLedger) -> None:
        """Ends a job whose parts all have results, or that rejects too many lines. Raises
        Unavailable; then it is called again."""
        if ledger.rejects_too_many:
            indexed = await self._kept(ledger)
            await self._stopped(ledger, JobState.FAILED, indexed, _refusal(ledger, indexed))
            return
        manifest, counts, message = ledger.manifest, ledger.counts(), _rejected(ledger)
        state = JobState.SUCCEEDED_WITH_ERRORS if counts.rejected else JobState.SUCCEEDED
        if counts.indexed == 0:
            state = JobState.FAILED
            message = f"No document could be indexed. {message}".rstrip()
        if manifest.mode.builds:
            if state is JobState.FAILED:
                await self._abandon(manifest)
            else:
                try:
                    words = await self._switched(ledger, counts.indexed)
                    message = f"{message} {words}".strip()
                except RebuildRefused as refused:
                    await self._abandon(manifest)
                    state, message = JobState.FAILED, str(refused)
                    counts = counts.model_copy(update={"indexed": 0})
        await self._writer.moved(manifest.collection)
        await self._finalise(
            ledger, JobEnd(state=state, counts=counts, finished_at=now(), message=message)
        )

    async def _switched(self, ledger: JobLedger, indexed: int) -> str:
        """Switches to the collection that a job has filled, after an import of the rows if it is
        one; returns the message of the gate. Raises RebuildRefused."""
        filled, first = self.filled(ledger.manifest), ledger.manifest.mode is JobMode.IMPORT
        if first:
            rows, passages = stored_tables(ledger)
            await self._imports.fill(filled, rows, passages, ledger.proceeds)
        words = await self._rebuilds.switch(
            filled, indexed, ledger.proceeds, force=ledger.manifest.force, first=first
        )
        if first:
            await self._imports.clear(filled)
        return words

    async def cancelled(self, ledger: JobLedger) -> None:
        """Ends a cancelled job with the exact number of its documents in the collection.

        Documents of an interrupted part are included.
        """
        indexed = await self._kept(ledger)
        message = f"Cancelled; {indexed:,} of its documents are in the collection."
        await self._stopped(ledger, JobState.CANCELLED, indexed, message)

    async def failed(
        self,
        ledger: JobLedger,
        message: str,
        *,
        planner: str | None = None,
        read: int = 0,
        rejected: int = 0,
    ) -> None:
        """Ends the job as failed.

        With the token of a planner the input as a whole is unusable; without one, the parts that
        are not done can be retried.
        """
        manifest = ledger.manifest
        counts = ledger.counts() if ledger.plan else JobCounts(read=read, rejected=rejected)
        if manifest.mode.builds and await self._taken_back(manifest):
            counts = counts.model_copy(update={"indexed": 0})
        elif counts.indexed:
            await self._writer.moved(manifest.collection)
        end = JobEnd(
            state=JobState.FAILED,
            counts=counts,
            finished_at=now(),
            message=message,
            planner=planner,
        )
        await self._finalise(ledger, end)

    async def _kept(self, ledger: JobLedger) -> int:
        """The number of documents that an unfinished job leaves in the collection, those of
        interrupted parts included."""
        manifest = ledger.manifest
        if manifest.mode.builds:
            if await self._taken_back(manifest):
                return 0
            indexed = ledger.counts().indexed
        else:
            indexed = await self._rebuilds.written(manifest.collection, manifest.version)
        await self._writer.moved(manifest.collection)
        return indexed

    async def _stopped(
        self, ledger: JobLedger, state: JobState, indexed: int, message: str
    ) -> None:
        """Records the end of a job that leaves so many documents in the collection."""
        counts = ledger.counts().model_copy(update={"indexed": indexed})
        await self._finalise(
            ledger, JobEnd(state=state, counts=counts, finished_at=now(), message=message)
        )

    async def _taken_back(self, manifest: JobManifest) -> bool:
        """Abandons what an unfinished job has built; false if that has answered since an earlier
        attempt, and stays."""
        await self._abandon(manifest)
        live = await self._writer.collections.index.resolve(manifest.collection)
        return live != self.filled(manifest)

    async def _abandon(self, manifest: JobManifest) -> None:
        if manifest.mode is JobMode.IMPORT:
            await self._imports.settled(self.filled(manifest))
            await self._imports.clear(self.filled(manifest))
        await self._rebuilds.abandon(self.filled(manifest))

    async def _finalise(self, ledger: JobLedger, end: JobEnd) -> None:
        """Records the end of a job, and removes what is not needed then; after a kill in between,
        the reading of all jobs does. What a kill has left beside its plan is removed first."""
        files, job = self._book.files, ledger.manifest.id
        if ledger.plan is not None:
            await asyncio.to_thread(files.drop_input, job, ledger.plan.token)
        await self._book.finalise(ledger, end)
        await asyncio.to_thread(files.drop_spent, job, ledger.plan, end)

    async def _export(self, ledger: JobLedger) -> None:
        """Writes the collection's documents as the job's input, which is complete or absent."""
        files, manifest = self._book.files, ledger.manifest
        key = files.input_key(manifest.id)
        if await asyncio.to_thread(files.store.exists, key):
            return
        index = self._writer.collections.index
        physical = await self._writer.collections.live(manifest.collection)
        async with files.store.upload(key) as stream:
            async for row in index.scan(physical):
                stream.write(_exported(row))


def _rejected(ledger: JobLedger) -> str:
    """The number of rejected lines and their reasons, each kind once; empty if none were
    rejected."""
    counts = ledger.counts()
    if not counts.rejected:
        return ""
    lines = f"{counts.rejected:,} of {counts.read:,} {unit(ledger.manifest.format)} were rejected."
    return f"{lines} {summary(_kinds(ledger))}".rstrip()


def _refusal(ledger: JobLedger, indexed: int) -> str:
    """The message of a job that rejects too many lines."""
    manifest, counts, kinds = ledger.manifest, ledger.counts(), _kinds(ledger)
    if manifest.from_collection:
        return (
            f"{counts.rejected:,} of {counts.read:,} documents could not be indexed anew, so the"
            f" present index stays. {summary(kinds)} Mend or delete these documents, which the"
            " job's errors list, and rebuild again; or rebuild with force=true, which leaves them"
            " out."
        )
    outcome = "nothing was indexed"
    if indexed:
        outcome = f"the job stopped; {indexed:,} of its documents are in the collection"
    return too_many(manifest.most_rejected or 0, unit(manifest.format), outcome, kinds)


def _kinds(ledger: JobLedger) -> list[RejectionKind]:
    """The kinds of reasons for which planning and parts have rejected lines."""
    kinds = RejectionKinds(ledger.plan.kinds if ledger.plan else ())
    for result in ledger.results.values():
        for rejection in result.rejected:
            kinds.add(rejection)
    return kinds.counted()


def _exported(row: Row) -> bytes:
    document = row.document.model_dump() | {"_version": row.version}
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"
