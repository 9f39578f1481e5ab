"""Streams that tell where a failure comes from.

An exception's class does not tell that: a full disk and a damaged gzip both give an OSError. So the
stream that touches the disk turns its failures into `Unavailable`, and the stream that decodes
turns its failures into `BadInput`, each at its own read or write. Code around them needs no
`except` for either.
"""

import io
from collections.abc import Callable
from typing import IO, Any

Failures = tuple[type[BaseException], ...]
Translate = Callable[[Any], Exception]


class ReadStream(io.RawIOBase):
    """Reads `inner`; `translate` replaces an exception of the given classes."""

    def __init__(self, inner: Any, failures: Failures, translate: Translate) -> None:
        self._inner = inner
        self._failures = failures
        self._translate = translate

    def readable(self) -> bool:
        """True: the stream is read from."""
        return True

    def seekable(self) -> bool:
        """Whether the stream below can be positioned."""
        return bool(self._inner.seekable())

    def readinto(self, buffer: Any, /) -> int:
        """Fills `buffer` and returns the number of bytes, 0 at the end. Raises Unavailable."""
        try:
            block = self._inner.read(len(buffer))
        except self._failures as error:
            raise self._translate(error) from error
        buffer[: len(block)] = block
        return len(block)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Moves to a position and returns it. Raises Unavailable."""
        try:
            return int(self._inner.seek(offset, whence))
        except self._failures as error:
            raise self._translate(error) from error

    def tell(self) -> int:
        """The position in bytes."""
        return int(self._inner.tell())


class WriteStream(io.RawIOBase):
    """Writes to `inner`; `translate` replaces an exception of the given classes."""

    def __init__(self, inner: IO[bytes], failures: Failures, translate: Translate) -> None:
        self._inner = inner
        self._failures = failures
        self._translate = translate

    def writable(self) -> bool:
        """True: the stream is written to."""
        return True

    def write(self, content: Any, /) -> int:
        """Writes all bytes and returns their number. Raises Unavailable."""
        try:
            self._inner.write(content)
        except self._failures as error:
            raise self._translate(error) from error
        return len(content)
