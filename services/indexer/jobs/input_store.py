"""Stores the input of a job and its vectors, each checked as soon as its beginning is there."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import IO, NamedTuple

from services.common.errors import InvalidRequest, PayloadTooLarge
from services.indexer.intake.about import About
from services.indexer.intake.files.sandbox import Sandbox
from services.indexer.intake.mapping import FieldMapping
from services.indexer.intake.sniff import Recognised
from services.indexer.intake.sources import STORED_FIRST, check_stored
from services.indexer.intake.vectors import check_npy
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.submission import Submission

_BUFFER_BYTES = 1 << 20


class StoredBody(NamedTuple):
    """An object that was stored whole."""

    size: int
    """Length of the object in bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class InputStore:
    """Streams of bodies into the objects of jobs, in the memory of one buffer."""

    files: JobFiles
    max_bytes: int
    """Most bytes of one body."""

    async def store_input(
        self, job_id: str, body: AsyncIterator[bytes], submission: Submission
    ) -> tuple[Submission, StoredBody]:
        """Stores the input of a job, and completes its submission by the charset and the columns
        that the input shows.

        Raises InvalidRequest, PayloadTooLarge, UnsupportedFormat, Unavailable.
        """
        recognised = Recognised(submission.charset, submission.mapping)

        def check(head: bytes) -> None:
            nonlocal recognised
            recognised = submission.check_input(head)

        stored = await self._store(self.files.input_key(job_id), body, check)
        if stored.size == 0:
            raise InvalidRequest("The body is empty; send at least one document.")
        submission = replace(submission, charset=recognised.charset, mapping=recognised.mapping)
        if submission.format in STORED_FIRST:
            mapping = await asyncio.to_thread(self._check_stored, job_id, submission)
            submission = replace(submission, mapping=mapping)
        return submission, stored

    async def store_vectors(
        self, job_id: str, body: AsyncIterator[bytes], dimension: int
    ) -> StoredBody:
        """Stores the .npy matrix of a job, whose rows have this many numbers.

        Raises InvalidRequest, PayloadTooLarge, Unavailable.
        """
        key = self.files.vectors_key(job_id)
        return await self._store(key, body, lambda head: check_npy(head, dimension))

    def _check_stored(self, job_id: str, submission: Submission) -> FieldMapping:
        """The mapping for an input, completed by what only the whole of it shows.

        Raises InvalidRequest, UnsupportedFormat.
        """
        with Sandbox() as sandbox:
            about = About(
                submission.format, submission.mapping, sandbox, submission.name, submission.charset
            )
            return check_stored(lambda: self.files.input(job_id), about)

    async def _store(
        self, key: str, body: AsyncIterator[bytes], check: Callable[[bytes], None]
    ) -> StoredBody:
        """Streams a body into an object. `check` gets the first bytes and may raise.

        Raises PayloadTooLarge.
        """
        digest, size, buffer = hashlib.sha256(), 0, bytearray()
        unchecked = True
        async with self.files.upload(key) as stream:
            async for chunk in body:
                buffer += chunk
                size += len(chunk)
                if size > self.max_bytes:
                    raise PayloadTooLarge(
                        f"The input is larger than {self.max_bytes:,} bytes; split it."
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
        return StoredBody(size, digest.hexdigest())


def _absorb(stream: IO[bytes], digest: "hashlib._Hash", content: bytes) -> None:
    digest.update(content)
    stream.write(content)
