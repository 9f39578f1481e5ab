"""Acceptance of jobs. A job is accepted when its input and its manifest are stored durably."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from services.common.collection import check_collection_name
from services.common.errors import (
    Conflict,
    IdempotencyConflict,
    IndexUnavailable,
    InvalidRequest,
)
from services.common.wire.jobs import JobMode, JobState
from services.indexer.index.collections.collections import Collections
from services.indexer.index.imports.imports import Imports
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.input_store import InputStore
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import JobEnd, JobManifest, now
from services.indexer.jobs.submission import Submission


@dataclass(slots=True)
class JobAcceptance:
    """Acceptance of jobs, of one submission per idempotency key at a time."""

    book: JobBook
    collections: Collections
    writer: IndexWriter
    inputs: InputStore
    imports: Imports
    _adding: "WeakValueDictionary[str, asyncio.Lock]" = field(default_factory=WeakValueDictionary)
    """Locks by collection, under which a job, a new one or one that is tried again, is compared
    with the running ones and becomes one of them. Jobs of other collections do not wait while its
    objects are stored."""
    _keys: "WeakValueDictionary[str, asyncio.Lock]" = field(default_factory=WeakValueDictionary)
    """Locks by idempotency key; each lives as long as a submission holds it or waits for it."""

    async def submit(
        self,
        submission: Submission,
        body: AsyncIterator[bytes],
        vectors: AsyncIterator[bytes] | None = None,
    ) -> JobLedger:
        """The ledger of the job that was accepted now, or earlier under the same idempotency key.

        Raises InvalidRequest, Conflict, IdempotencyConflict, PayloadTooLarge, UnsupportedFormat,
        Unavailable.
        """
        await self.writer.check()
        check_collection_name(submission.collection)
        key = submission.idempotency_key
        if key is None:
            await self._check(submission)
            return await self._take(submission, body, vectors)
        lock = self._keys.setdefault(key, asyncio.Lock())
        async with lock:
            # What was accepted once is answered in the same way although it would be refused now.
            if self.book.by_idempotency_key(key) is None:
                await self._check(submission)
            return await self._take(submission, body, vectors)

    async def rebuild(
        self, collection: str, encoder: str | None = None, *, force: bool = False
    ) -> JobLedger:
        """Accepts a rebuild from the collection's own documents, with this encoder if one is given.

        Raises CollectionNotFound, Conflict, InvalidRequest.
        """
        await self.collections.live(collection)
        if encoder is not None:
            self.collections.installed(encoder)
        self._check_free(collection, JobMode.REBUILD)
        manifest = await self._manifest(
            Submission(collection, mode=JobMode.REBUILD, encoder=encoder, force=force),
            _new_id(),
            from_collection=True,
        )
        return await self._added(manifest)

    async def retry(self, ledger: JobLedger) -> None:
        """Starts another attempt of an ended job. Raises Conflict if it could change nothing."""
        async with self._lock_of(ledger.manifest.collection):
            await self._retry(ledger)

    async def _retry(self, ledger: JobLedger) -> None:
        manifest, end = ledger.manifest, ledger.end
        name = manifest.collection
        if end is not None:
            self._check_free(name, manifest.mode)
        if manifest.mode.builds and end is not None and end.planner is None:
            live = await self.collections.index.resolve(name)
            if live is None or live.generation != manifest.version:
                await self._start_over(ledger, end)
                return
        await self.book.retry(ledger)  # What an attempt has built is written to from now on.

    async def _start_over(self, ledger: JobLedger, end: JobEnd) -> None:
        """Opens all parts of a job again whose index does not answer. Raises Conflict,
        CollectionNotFound."""
        manifest = ledger.manifest
        name = manifest.collection
        if end.state not in (JobState.CANCELLED, JobState.FAILED):
            await self.collections.live(name)
            raise Conflict(f"Another generation of collection {name!r} answers by now.")
        # The rows of the job were removed, and documents may have been written since.
        if manifest.mode is JobMode.IMPORT:
            await self.imports.check(name)
        if manifest.from_collection:
            raise Conflict(
                "This rebuild was taken back, and the collection may have changed since;"
                f" start another with POST /v1/collections/{name}:rebuild."
            )
        await self.book.restart(ledger, await self.writer.accept(name))

    async def _check(self, submission: Submission) -> None:
        encoder = submission.encoder
        if encoder is not None:
            self.collections.installed(encoder)
        if submission.partition is not None:
            await self.collections.in_partition(submission.collection, submission.partition)
        self._check_free(submission.collection, submission.mode)
        if submission.mode is JobMode.REBUILD:
            return
        if submission.mode is JobMode.IMPORT:
            await self.imports.check(submission.collection)
        # A job is accepted even while Milvus is away; its parts wait.
        with contextlib.suppress(IndexUnavailable):
            live = await self.collections.fitting(submission.collection)
            if encoder is not None and live is not None and live.encoder != encoder:
                raise InvalidRequest(
                    f"Collection {live.name!r} was filled by encoder {live.encoder}, and vectors of"
                    f" encoder {encoder} do not fit it; rebuild it with that one (mode=rebuild)."
                )

    def _check_free(self, collection: str, mode: JobMode) -> None:
        """Raises Conflict if a job runs beside which none of this mode may."""
        for ledger in self.book.running():
            running = ledger.manifest
            if running.collection != collection:
                continue
            if running.mode is mode is JobMode.REBUILD:
                raise Conflict(
                    f"Collection {collection!r} is being rebuilt by job {running.id};"
                    " wait for it or cancel it."
                )
            if JobMode.IMPORT in (running.mode, mode):
                raise Conflict(
                    f"Job {running.id} is writing to collection {collection!r}, and an import runs"
                    " alone; wait for the job, or cancel it."
                )

    async def _added(self, manifest: JobManifest) -> JobLedger:
        """The ledger of a job, which is accepted from then on. Raises Conflict if one was accepted
        meanwhile beside which it may not run."""
        async with self._lock_of(manifest.collection):
            self._check_free(manifest.collection, manifest.mode)
            return await self.book.accept(manifest)

    def _lock_of(self, collection: str) -> asyncio.Lock:
        return self._adding.setdefault(collection, asyncio.Lock())

    async def _take(
        self,
        submission: Submission,
        body: AsyncIterator[bytes],
        vectors: AsyncIterator[bytes] | None,
    ) -> JobLedger:
        job_id = _new_id()
        try:
            submission, stored = await self.inputs.store_input(job_id, body, submission)
            vectors_sha256 = ""
            if vectors is not None:
                dimension = self.collections.encoders.of(submission.encoder).dimension
                matrix = await self.inputs.store_vectors(job_id, vectors, dimension)
                vectors_sha256 = matrix.sha256
            earlier = self._earlier(submission, stored.sha256, vectors_sha256)
            if earlier is not None:
                await self.book.refuse(job_id)
                return earlier
            manifest = await self._manifest(
                submission,
                job_id,
                input_bytes=stored.size,
                input_sha256=stored.sha256,
                vectors=vectors is not None,
                vectors_sha256=vectors_sha256,
            )
            return await self._added(manifest)
        except BaseException:
            # A client that goes away cancels this task: the upload was not accepted.
            await asyncio.shield(self.book.refuse(job_id))
            raise

    async def _manifest(self, submission: Submission, job_id: str, **more: object) -> JobManifest:
        encoder = submission.encoder
        if encoder is None and submission.mode.builds:
            encoder = (await self.collections.encoder_of_next(submission.collection)).fingerprint
        if submission.mode.builds:
            more["analyzer"] = (await self.collections.words.wanted(submission.collection)).identity
        version = await self.writer.accept(submission.collection)
        return JobManifest.model_validate(
            {
                "id": job_id,
                "collection": submission.collection,
                "mode": submission.mode,
                "format": submission.format,
                "version": version,
                "created_at": now(),
                "mapping": submission.mapping,
                "name": submission.name,
                "charset": submission.charset,
                "max_errors": submission.max_errors,
                "partition": submission.partition,
                "encoder": encoder,
                "named_encoder": submission.encoder,
                "force": submission.force,
                "idempotency_key": submission.idempotency_key,
                **more,
            }
        )

    def _earlier(
        self, submission: Submission, input_sha256: str, vectors_sha256: str
    ) -> JobLedger | None:
        """The job that was accepted under the submission's idempotency key, None without one.

        Raises IdempotencyConflict if that was another request.
        """
        if submission.idempotency_key is None:
            return None
        ledger = self.book.by_idempotency_key(submission.idempotency_key)
        if ledger is None:
            return None
        if not submission.same_request(ledger.manifest, input_sha256, vectors_sha256):
            raise IdempotencyConflict(
                f"The idempotency key was used for job {ledger.manifest.id}, which is another"
                " request."
            )
        return ledger


def _new_id() -> str:
    """A new id of a job; ids sort by the time of their creation."""
    return f"{int(now().timestamp() * 1e6):014x}{secrets.token_hex(3)}"
