"""Acceptance of jobs. A job is accepted when its input and its manifest are stored durably."""

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import IO
from weakref import WeakValueDictionary

from services.common.collection import check_collection_name
from services.common.errors import (
    Conflict,
    IdempotencyConflict,
    IndexUnavailable,
    InvalidRequest,
    PayloadTooLarge,
)
from services.common.wire.input_formats import Charset, InputFormat
from services.common.wire.jobs import JobMode, JobState
from services.indexer.index.collections import Collections
from services.indexer.index.writer import IndexWriter
from services.indexer.intake.about import About
from services.indexer.intake.files.sandbox import Sandbox
from services.indexer.intake.mapping import FieldMapping
from services.indexer.intake.sniff import Recognised, check_beginning
from services.indexer.intake.sources import STORED_FIRST, check_stored
from services.indexer.intake.vectors import check_npy
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import JobManifest, now

_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Submission:
    """Options of an index job, all that a caller sends besides the input itself."""

    collection: str
    mode: JobMode = JobMode.UPSERT
    format: InputFormat = InputFormat.JSONL
    mapping: FieldMapping = field(default_factory=FieldMapping)
    max_errors: int | None = None
    idempotency_key: str | None = None
    encoder: str | None = None
    """Fingerprint of the encoder that made the vectors of the input, if it brings any. A new
    collection or the new index of a rebuild gets this encoder; None stands for the default."""
    force: bool = False
    """Whether a rebuild switches although the new index answers worse."""
    charset: Charset | None = None
    """Charset of the input that the caller declares; with None it is recognised."""
    name: str = ""
    """Name of the file, empty if it is unknown."""

    def check_input(self, head: bytes) -> Recognised:
        """What the first bytes of the input show. Raises UnsupportedFormat, InvalidRequest."""
        return check_beginning(head, self.format, self.mapping, self.charset)

    def same_request(self, manifest: JobManifest, digest: str) -> bool:
        """Whether a job was accepted for this submission and an input with this SHA-256."""
        return (
            manifest.collection,
            manifest.mode,
            manifest.format,
            manifest.mapping,
            manifest.charset or Charset.UTF8,
            manifest.name,
            manifest.input_sha256,
        ) == (
            self.collection,
            self.mode,
            self.format,
            self.mapping,
            self.charset or Charset.UTF8,
            self.name,
            digest,
        )


@dataclass(slots=True)
class Submissions:
    """Acceptance of jobs, of one submission per idempotency key at a time."""

    book: JobBook
    collections: Collections
    writer: IndexWriter
    max_input_bytes: int
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
        self.writer.check()
        check_collection_name(submission.collection)
        await self._check(submission)
        if submission.idempotency_key is None:
            return await self._take(submission, body, vectors)
        lock = self._keys.setdefault(submission.idempotency_key, asyncio.Lock())
        async with lock:
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
        self._check_no_rebuild(collection)
        manifest = await self._manifest(
            Submission(collection, mode=JobMode.REBUILD, encoder=encoder, force=force),
            _new_id(),
            from_collection=True,
        )
        await asyncio.to_thread(self.book.files.write_manifest, manifest)
        return self.book.add(manifest)

    async def retry(self, ledger: JobLedger) -> None:
        """Starts another attempt of an ended job. Raises Conflict if it could change nothing."""
        manifest, end = ledger.manifest, ledger.end
        name = manifest.collection
        if manifest.mode is JobMode.REBUILD and end is not None:
            self._check_no_rebuild(name)
            if end.state in (JobState.CANCELLED, JobState.FAILED) and end.planner is None:
                # The rows of the rebuild were removed, and documents were written since.
                if manifest.from_collection:
                    raise Conflict(
                        "This rebuild was taken back, and the collection may have changed since;"
                        f" start another with POST /v1/collections/{name}:rebuild."
                    )
                await self.book.restart(ledger, await self.writer.accept(name))
                return
            if (await self.collections.live(name)).generation != manifest.version:
                raise Conflict(f"Another generation of collection {name!r} answers by now.")
        await self.book.retry(ledger)

    async def _check(self, submission: Submission) -> None:
        encoder = submission.encoder
        if encoder is not None:
            self.collections.installed(encoder)
        if submission.mode is JobMode.REBUILD:
            self._check_no_rebuild(submission.collection)
            return
        # A job is accepted even while Milvus is away; its parts wait.
        with contextlib.suppress(IndexUnavailable):
            live = await self.collections.fitting(submission.collection)
            if encoder is not None and live is not None and live.encoder != encoder:
                raise InvalidRequest(
                    f"Collection {live.name!r} was filled by encoder {live.encoder}, and vectors of"
                    f" encoder {encoder} do not fit it; rebuild it with that one (mode=rebuild)."
                )

    def _check_no_rebuild(self, collection: str) -> None:
        for ledger in self.book.running():
            manifest = ledger.manifest
            if manifest.collection == collection and manifest.mode is JobMode.REBUILD:
                raise Conflict(
                    f"Collection {collection!r} is being rebuilt by job {manifest.id};"
                    " wait for it or cancel it."
                )

    async def _take(
        self,
        submission: Submission,
        body: AsyncIterator[bytes],
        vectors: AsyncIterator[bytes] | None,
    ) -> JobLedger:
        files, job_id = self.book.files, _new_id()
        try:
            recognised = Recognised(submission.charset, submission.mapping)

            def check(head: bytes) -> None:
                nonlocal recognised
                recognised = submission.check_input(head)

            size, digest = await self._store(files.input_key(job_id), body, check)
            submission = replace(submission, charset=recognised.charset, mapping=recognised.mapping)
            if size == 0:
                raise InvalidRequest("The body is empty; send at least one document.")
            if submission.format in STORED_FIRST:
                mapping = await asyncio.to_thread(_check_stored, files, job_id, submission)
                submission = replace(submission, mapping=mapping)
            earlier = self._earlier(submission, digest)
            if earlier is not None:
                await asyncio.to_thread(files.forget, job_id)
                return earlier
            if vectors is not None:
                dimension = self.collections.encoders.of(submission.encoder).dimension
                await self._store(
                    files.vectors_key(job_id), vectors, lambda head: check_npy(head, dimension)
                )
            manifest = await self._manifest(
                submission,
                job_id,
                input_bytes=size,
                input_sha256=digest,
                vectors=vectors is not None,
            )
            await asyncio.to_thread(files.write_manifest, manifest)
        except BaseException:
            # A client that goes away cancels this task: the upload was not accepted.
            await asyncio.shield(asyncio.to_thread(files.forget, job_id))
            raise
        return self.book.add(manifest)

    async def _manifest(self, submission: Submission, job_id: str, **more: object) -> JobManifest:
        encoder = submission.encoder
        if encoder is None and submission.mode is JobMode.REBUILD:
            encoder = (await self.collections.encoder_of_next(submission.collection)).fingerprint
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
                "encoder": encoder,
                "force": submission.force,
                "idempotency_key": submission.idempotency_key,
                **more,
            }
        )

    def _earlier(self, submission: Submission, digest: str) -> JobLedger | None:
        """The job that was accepted under the submission's idempotency key, None without one.

        Raises IdempotencyConflict.
        """
        if submission.idempotency_key is None:
            return None
        ledger = self.book.by_idempotency_key(submission.idempotency_key)
        if ledger is None:
            return None
        if not submission.same_request(ledger.manifest, digest):
            raise IdempotencyConflict(
                f"The idempotency key was used for job {ledger.manifest.id}, which is another"
                " request."
            )
        return ledger

    async def _store(
        self, key: str, body: AsyncIterator[bytes], check: Callable[[bytes], None]
    ) -> tuple[int, str]:
        """Streams a body into an object and returns its size in bytes and its SHA-256.

        `check` gets the first bytes and may raise. Raises PayloadTooLarge.
        """
        digest, size, buffer = hashlib.sha256(), 0, bytearray()
        unchecked = True
        async with self.book.files.upload(key) as stream:
            async for chunk in body:
                buffer += chunk
                size += len(chunk)
                if size > self.max_input_bytes:
                    raise PayloadTooLarge(
                        f"The input is larger than {self.max_input_bytes:,} bytes; split it."
                    )
                if len(buffer) >= _BUFFER_BYTES:
                    if unchecked:
                        await asyncio.to_thread(check, bytes(buffer))
                        unchecked = False
                    await asyncio.to_thread(_absorb, stream, digest, bytes(buffer))
                    buffer.clear()
            if unchecked and buffer:
                await asyncio.to_thread(check, bytes(buffer))
            await asyncio.to_thread(_absorb, stream, digest, bytes(buffer))
        return size, digest.hexdigest()


def _check_stored(files: JobFiles, job_id: str, submission: Submission) -> FieldMapping:
    """The mapping for an input, completed by what only the whole of it shows.

    Raises InvalidRequest, UnsupportedFormat.
    """
    with Sandbox() as sandbox:
        about = About(
            submission.format, submission.mapping, sandbox, submission.name, submission.charset
        )
        return check_stored(lambda: files.input(job_id), about)


def _absorb(stream: IO[bytes], digest: "hashlib._Hash", content: bytes) -> None:
    digest.update(content)
    stream.write(content)


def _new_id() -> str:
    """A new id of a job; ids sort by the time of their creation."""
    return f"{int(now().timestamp() * 1e6):014x}{secrets.token_hex(3)}"
