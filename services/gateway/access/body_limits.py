"""Bounds on request bodies before anything parses them: on the size and time of each, and on the
size of all together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from services.common.errors import (
    MalformedRequest,
    Overloaded,
    PayloadTooLarge,
    RequestTimeout,
    UnsupportedFormat,
)
from services.common.wire.input_formats import InputFormat

_TOGETHER = 16
"""Cap on all buffered bodies together, as a multiple of `max_body_bytes`."""
_SMALL = 256
"""A body of at most this part of `max_body_bytes` (1 / 256) is not refused for that of others, so
that slow calls with large ones keep nobody from searching."""

_IN_MEMORY = "split it, or send documents as a file to /v1/index-jobs"
_UPLOADED = "split it into several files, each a job of its own"
"""Remedies for bodies that are too large."""


def is_inline(kind: str, stated: str | None) -> bool:
    """Whether the body of an index job holds its documents in the body's own JSON, which is read
    whole. `kind` is its media type, `stated` the format that the caller names, if any: with one, it
    is a file."""
    return kind == "application/json" and stated in (None, InputFormat.JSONL)


@dataclass(slots=True)
class BodyLimits:
    """The limits of one process, and the bytes that it buffers now."""

    max_body_bytes: int
    """Largest size in bytes of a body that is held in memory."""
    max_upload_bytes: int
    """Largest size in bytes of a body that is streamed to the indexer."""
    seconds: float
    """Seconds in which a body in memory has to arrive; for an upload, the longest pause between two
    blocks."""
    _held: int = field(default=0, init=False)
    """Bytes of the bodies of all requests that have not ended."""

    @asynccontextmanager
    async def whole(self, headers: Headers, receive: Receive) -> AsyncIterator[bytes]:
        """The whole body of a request, which the block answers. Raises PayloadTooLarge,
        UnsupportedFormat, RequestTimeout, Overloaded.

        Compressed bodies are refused and not expanded: a search is small, and large files go to
        /v1/index-jobs, where the indexer expands them within bounds, block by block.
        """
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise UnsupportedFormat(
                "A JSON body comes uncompressed: leave Content-Encoding out. Compressed files go to"
                " /v1/index-jobs."
            )
        _check_length(headers, self.max_body_bytes, _IN_MEMORY)
        blocks: list[bytes] = []
        size, more = 0, True
        try:
            try:
                async with asyncio.timeout(self.seconds):
                    while more:
                        message = await receive()
                        if message["type"] != "http.request":
                            raise MalformedRequest("The connection ended before the body did.")
                        blocks.append(message.get("body", b""))
                        size += len(blocks[-1])
                        self._held += len(blocks[-1])
                        self._check_size(size)
                        more = message.get("more_body", False)
            except TimeoutError:
                raise RequestTimeout(
                    f"The body did not arrive within {self.seconds:g} s; send it faster."
                ) from None
            body = b"".join(blocks)
            blocks.clear()
            yield body
        finally:
            self._held -= size

    def _check_size(self, size: int) -> None:
        """Raises PayloadTooLarge or Overloaded for a body of which so many bytes have arrived."""
        if size > self.max_body_bytes:
            raise _too_large(self.max_body_bytes, _IN_MEMORY)
        large = size > self.max_body_bytes // _SMALL
        if large and self._held > _TOGETHER * self.max_body_bytes:
            raise Overloaded("Too many large requests at once.", retry_after=1)

    def streamed(self, headers: Headers, receive: Receive) -> Receive:
        """A receiver of the body, block by block and within the limits.

        Raises PayloadTooLarge at once if the declared length is too large. The receiver raises it
        when the bytes exceed the limit, and RequestTimeout after a pause that is too long.
        """
        _check_length(headers, self.max_upload_bytes, _UPLOADED)
        size = 0

        async def bounded() -> Message:
            nonlocal size
            try:
                async with asyncio.timeout(self.seconds):
                    message = await receive()
            except TimeoutError:
                raise RequestTimeout(
                    f"Nothing of the upload arrived for {self.seconds:g} s; send it again."
                ) from None
            size += len(message.get("body", b""))
            if size > self.max_upload_bytes:
                raise _too_large(self.max_upload_bytes, _UPLOADED)
            return message

        return bounded


def _check_length(headers: Headers, limit: int, remedy: str) -> None:
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:19]) > limit:
        raise _too_large(limit, remedy)


def _too_large(limit: int, remedy: str) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit:,} bytes; {remedy}.")
