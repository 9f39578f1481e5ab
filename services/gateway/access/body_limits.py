"""Bodies are bounded before anything parses them: in size, in time, and all of them together."""

import asyncio
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

_TOGETHER = 16
"""Times the limit of one body: what all bodies in memory may hold together."""


@dataclass(slots=True)
class BodyLimits:
    max_body_bytes: int
    max_upload_bytes: int
    seconds: float
    """For a body that is held in memory as a whole, for an upload between two blocks."""
    _held: int = field(default=0, init=False)

    async def whole(self, headers: Headers, receive: Receive) -> bytes:
        """The body. Raises PayloadTooLarge, UnsupportedFormat, RequestTimeout, Overloaded.

        Compressed bodies are refused rather than expanded: a search is small, and large files go
        to /v1/index-jobs, where the indexer expands them with bounds, block by block.
        """
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise UnsupportedFormat(
                "A JSON body comes uncompressed: leave Content-Encoding out. Compressed files go to"
                " /v1/index-jobs."
            )
        _check_length(headers, self.max_body_bytes)
        blocks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.seconds):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise MalformedRequest("The connection ended before the body did.")
                    block: bytes = message.get("body", b"")
                    size += len(block)
                    self._held += len(block)
                    blocks.append(block)
                    if size > self.max_body_bytes:
                        raise _too_large(self.max_body_bytes)
                    if self._held > _TOGETHER * self.max_body_bytes:
                        raise Overloaded("Too many large requests at once.", retry_after=1)
                    if not message.get("more_body", False):
                        return b"".join(blocks)
        except TimeoutError:
            raise RequestTimeout(
                f"The body did not arrive within {self.seconds:g} s; send it faster."
            ) from None
        finally:
            self._held -= size

    def streamed(self, headers: Headers, receive: Receive) -> Receive:
        """The same body block by block, bounded. Raises PayloadTooLarge at once or on the way."""
        _check_length(headers, self.max_upload_bytes)
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
                raise _too_large(self.max_upload_bytes)
            return message

        return bounded


def _check_length(headers: Headers, limit: int) -> None:
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:19]) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"The body is larger than {limit:,} bytes; split it, or send it as a file to"
        " /v1/index-jobs."
    )
