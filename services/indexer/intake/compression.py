"""Compressed input, recognised by its first bytes whatever the headers say."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import zstandard

from services.indexer.intake.record import BadInput

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
_WINDOW_BYTES = 128 << 20
"""Memory that a zstd stream may ask for; `zstd -19` needs 8 MB, `--long` 128 MB."""
_ZSTD_BYTES = 1 << 10
"""Compressed bytes decoded at a time: at most 32 MB of text, however well it was packed."""


@contextmanager
def decompressed(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """The plain bytes of a seekable stream. Damage found while reading is BadInput."""
    start = stream.read(4)
    stream.seek(0)
    try:
        if start.startswith(GZIP):
            with gzip.GzipFile(fileobj=stream) as plain:
                yield io.BufferedReader(plain)
        elif start == ZSTD:
            yield io.BufferedReader(_ZstdFrames(stream))
        else:
            yield stream
    except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        raise BadInput(
            "The compressed input is damaged or cut off; send it again, best with a checksum."
        ) from error


class _ZstdFrames(io.RawIOBase):
    """The plain bytes of zstd frames. The library's own reader ends without a word where its
    input is cut off, which would index half a file as if it were whole."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._engine = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
        self._frame = self._engine.decompressobj()
        self._fed = False
        self._packed = b""
        self._plain = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._plain:
            block = self._packed or self._stream.read(_ZSTD_BYTES)
            if not block:
                if self._fed:
                    raise EOFError
                return 0
            self._plain = memoryview(self._frame.decompress(block))
            self._fed, self._packed = True, b""
            if self._frame.eof:
                self._packed = self._frame.unused_data
                self._frame, self._fed = self._engine.decompressobj(), False
        size = min(len(buffer), len(self._plain))
        buffer[:size] = self._plain[:size]
        self._plain = self._plain[size:]
        return size


def beginning(head: bytes) -> bytes:
    """As much of the plain text as the first bytes of an input give."""
    if head.startswith(GZIP):
        try:
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, 1 << 16)
        except zlib.error:
            return b""
    if head.startswith(ZSTD):
        try:
            return (
                zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
                .decompressobj(read_across_frames=False)
                .decompress(head)[: 1 << 16]
            )
        except zstandard.ZstdError:
            return b""
    return head
