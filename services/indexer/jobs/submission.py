"""Accepting a job: its input is on disk and its manifest durable before anyone is told so."""

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
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
from services.common.wire.jobs import InputFormat, JobMode, JobState
from services.indexer.index.collections import Collections
from services.indexer.index.writer import IndexWriter
from services.indexer.intake.sniff import check_beginning
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import FieldMapping, JobManifest, now

_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Submission:
    """What a caller asks for, beside the input itself."""

    collection: str
    mode: JobMode = JobMode.UPSERT
    format: InputFormat = InputFormat.JSONL
    mapping: FieldMapping = field(default_factory=FieldMapping)
    max_errors: int | None = None
    idempotency_key: str | None = None
    encoder: str | None = None
    """Fingerprint of the encoder that made the ready-made vectors."""


@dataclass(slots=True)
class Submissions:
    """Takes jobs in. One submission per idempotency key at a time."""

    book: JobBook
    collections: Collections
    writer: IndexWriter
    max_input_bytes: int
    _keys: "WeakValueDictionary[str, asyncio.Lock]" = field(default_factory=WeakValueDictionary)
    """A lock lives as long as someone holds it or waits for it."""

    async def submit(
        self,
        wanted: Submission,
        body: AsyncIterator[bytes],
        vectors: AsyncIterator[bytes] | None = None,
    ) -> JobLedger:
        """Raises InvalidRequest, Conflict, PayloadTooLarge, UnsupportedFormat, Unavailable."""
        self.writer.check()
        check_collection_name(wanted.collection)
        await self._check(wanted)
        if wanted.idempotency_key is None:
            return await self._take(wanted, body, vectors)
        lock = self._keys.setdefault(wanted.idempotency_key, asyncio.Lock())
        async with lock:
            return await self._take(wanted, body, vectors)

    async def rebuild(self, collection: str) -> JobLedger:
        """A rebuild out of the collection's own documents. Raises CollectionNotFound, Conflict."""
        await self.collections.live(collection)
        self._check_no_rebuild(collection)
        manifest = await self._manifest(
            Submission(collection, mode=JobMode.REBUILD), _new_id(), from_collection=True
        )
        await asyncio.to_thread(self.book.files.write_manifest, manifest)
        return self.book.add(manifest)

    async def retry(self, ledger: JobLedger) -> None:
        """Raises Conflict when there is nothing that another attempt could change."""
        manifest, end = ledger.manifest, ledger.end
        name = manifest.collection
        if manifest.mode is JobMode.REBUILD and end is not None:
            self._check_no_rebuild(name)
            if end.state in (JobState.CANCELLED, JobState.FAILED) and end.planner is None:
                # What it had written was removed, and documents were written since.
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

    async def _check(self, wanted: Submission) -> None:
        if wanted.mode is JobMode.REBUILD:
            self._check_no_rebuild(wanted.collection)
        else:
            # Without Milvus a job is accepted too; its parts will wait.
            with contextlib.suppress(IndexUnavailable):
                await self.collections.fitting(wanted.collection)
        ours = self.collections.encoding.encoder
        if wanted.encoder is not None and wanted.encoder != ours:
            raise InvalidRequest(
                f"The vectors were made by encoder {wanted.encoder}, this installation has {ours}."
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
        wanted: Submission,
        body: AsyncIterator[bytes],
        vectors: AsyncIterator[bytes] | None,
    ) -> JobLedger:
        files, job_id = self.book.files, _new_id()
        try:
            size, digest = await self._store(
                files.input_key(job_id), body, wanted.format, wanted.mapping
            )
            if size == 0:
                raise InvalidRequest("The body is empty; send at least one document.")
            earlier = self._earlier(wanted, digest)
            if earlier is not None:
                await asyncio.to_thread(files.forget, job_id)
                return earlier
            if vectors is not None:
                await self._store(files.vectors_key(job_id), vectors, None, wanted.mapping)
            manifest = await self._manifest(
                wanted, job_id, input_bytes=size, input_sha256=digest, vectors=vectors is not None
            )
            await asyncio.to_thread(files.write_manifest, manifest)
        except BaseException:
            # A client that goes away cancels this task: the upload was not accepted.
            await asyncio.shield(asyncio.to_thread(files.forget, job_id))
            raise
        return self.book.add(manifest)

    async def _manifest(self, wanted: Submission, job_id: str, **more: object) -> JobManifest:
        version = await self.writer.accept(wanted.collection)
        return JobManifest.model_validate(
            {
                "id": job_id,
                "collection": wanted.collection,
                "mode": wanted.mode,
                "format": wanted.format,
                "version": version,
                "created_at": now(),
                "mapping": wanted.mapping,
                "max_errors": wanted.max_errors,
                "idempotency_key": wanted.idempotency_key,
                **more,
            }
        )

    def _earlier(self, wanted: Submission, digest: str) -> JobLedger | None:
        """The job that was accepted under this idempotency key. Raises IdempotencyConflict."""
        if wanted.idempotency_key is None:
            return None
        ledger = self.book.by_idempotency_key(wanted.idempotency_key)
        if ledger is None:
            return None
        told = ledger.manifest
        same = (told.collection, told.mode, told.format, told.mapping, told.input_sha256) == (
            wanted.collection,
            wanted.mode,
            wanted.format,
            wanted.mapping,
            digest,
        )
        if not same:
            raise IdempotencyConflict(
                f"The idempotency key was used for job {told.id}, which is another request."
            )
        return ledger

    async def _store(
        self,
        key: str,
        body: AsyncIterator[bytes],
        declared: InputFormat | None,
        mapping: FieldMapping,
    ) -> tuple[int, str]:
        """Streams a body into an object: its size and SHA-256."""
        digest, size, buffer = hashlib.sha256(), 0, bytearray()
        unchecked = declared
        async with self.book.files.store.upload(key) as stream:
            async for chunk in body:
                buffer += chunk
                size += len(chunk)
                if size > self.max_input_bytes:
                    raise PayloadTooLarge(
                        f"The input is larger than {self.max_input_bytes:,} bytes; split it."
                    )
                if len(buffer) >= _BUFFER_BYTES:
                    if unchecked is not None:
                        check_beginning(bytes(buffer), unchecked, mapping)
                        unchecked = None
                    await asyncio.to_thread(_absorb, stream, digest, bytes(buffer))
                    buffer.clear()
            if unchecked is not None and buffer:
                check_beginning(bytes(buffer), unchecked, mapping)
            await asyncio.to_thread(_absorb, stream, digest, bytes(buffer))
        return size, digest.hexdigest()


def _absorb(stream: IO[bytes], digest: "hashlib._Hash", content: bytes) -> None:
    digest.update(content)
    stream.write(content)


def _new_id() -> str:
    """Sorts by time of creation."""
    return f"{int(now().timestamp() * 1e6):014x}{secrets.token_hex(3)}"
