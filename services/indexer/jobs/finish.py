"""How a job ends: counted, its collection's version moved, a rebuild verified and switched."""

import asyncio
import json

from services.common.wire.jobs import JobCounts, JobMode, JobState
from services.indexer.index.rebuild import RebuildRefused, Rebuilds
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import JobEnd, now
from services.indexer.rows import Row


class JobFinisher:
    """Every step can be interrupted and done again."""

    def __init__(self, book: JobBook, writer: IndexWriter, rebuilds: Rebuilds) -> None:
        self._book = book
        self._writer = writer
        self._rebuilds = rebuilds

    async def begin(self, ledger: JobLedger) -> None:
        """What a rebuild needs before its first part, also after a restart."""
        manifest = ledger.manifest
        if manifest.mode is not JobMode.REBUILD:
            return
        since = 0 if manifest.from_collection else manifest.version
        await self._rebuilds.begin(manifest.collection, manifest.version, since)
        if manifest.from_collection and ledger.plan is None:
            await self._export(ledger)

    async def end(self, ledger: JobLedger) -> None:
        """All parts have results. Raises Unavailable; then it is called again."""
        manifest, counts, message = ledger.manifest, ledger.counts(), ""
        state = JobState.SUCCEEDED_WITH_ERRORS if counts.rejected else JobState.SUCCEEDED
        if counts.indexed == 0:
            state = JobState.FAILED
            message = "No document could be indexed; see the job's errors for the reasons."
        if manifest.mode is JobMode.REBUILD:
            if state is JobState.FAILED:
                await self._rebuilds.abandon(manifest.collection, manifest.version)
            else:
                try:
                    await self._rebuilds.switch(
                        manifest.collection, manifest.version, expected=counts.indexed
                    )
                except RebuildRefused as refused:
                    await self._rebuilds.abandon(manifest.collection, manifest.version)
                    state, message = JobState.FAILED, str(refused)
        elif counts.indexed:
            await self._writer.end_job(manifest.collection, counts.indexed)
        await self._writer.moved(manifest.collection)
        await self._book.finalise(
            ledger, JobEnd(state=state, counts=counts, finished_at=now(), message=message)
        )
        if state is JobState.SUCCEEDED and ledger.plan is not None:
            await asyncio.to_thread(self._book.files.drop_parts, manifest.id, ledger.plan)

    async def cancelled(self, ledger: JobLedger) -> None:
        """Says exactly what is in: rows of an interrupted part count too."""
        manifest, counts = ledger.manifest, ledger.counts()
        if manifest.mode is JobMode.REBUILD:
            await self._rebuilds.abandon(manifest.collection, manifest.version)
            indexed = 0
        else:
            indexed = await self._rebuilds.written(manifest.collection, manifest.version)
            if indexed:
                await self._writer.end_job(manifest.collection, indexed)
            await self._writer.moved(manifest.collection)
        counts = counts.model_copy(update={"indexed": indexed})
        message = f"Cancelled; {indexed:,} of its documents are in the collection."
        await self._book.finalise(
            ledger,
            JobEnd(state=JobState.CANCELLED, counts=counts, finished_at=now(), message=message),
        )

    async def failed(
        self,
        ledger: JobLedger,
        message: str,
        *,
        planner: str | None = None,
        read: int = 0,
        rejected: int = 0,
    ) -> None:
        """Nothing was indexed. With the token of a planner, which found that the input as a whole
        is unusable; without one, the planning itself failed and can be retried."""
        manifest = ledger.manifest
        if manifest.mode is JobMode.REBUILD:
            await self._rebuilds.abandon(manifest.collection, manifest.version)
        end = JobEnd(
            state=JobState.FAILED,
            counts=JobCounts(read=read, rejected=rejected),
            finished_at=now(),
            message=message,
            planner=planner,
        )
        await self._book.finalise(ledger, end)
        if planner is not None:
            await asyncio.to_thread(self._book.files.drop_input, manifest.id)

    async def _export(self, ledger: JobLedger) -> None:
        """The collection's documents as the job's input; complete or not there."""
        files, manifest = self._book.files, ledger.manifest
        key = files.input_key(manifest.id)
        if await asyncio.to_thread(files.store.exists, key):
            return
        physical = await self._writer.collections.live(manifest.collection)

        def export() -> None:
            with files.store.writer(key) as stream:
                for row in self._writer.collections.index.scan(physical):
                    stream.write(_exported(row))

        await asyncio.to_thread(export)


def _exported(row: Row) -> bytes:
    document = {
        "id": row.id,
        "title": row.title,
        "text": row.text,
        "fields": row.fields,
        "_version": row.version,
    }
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"
