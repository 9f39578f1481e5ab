"""Compressed input, recognised by its first bytes whatever the headers say."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import zstandard

from services.indexer.intake.record import BadInput

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
_WINDOW_BYTES = 128 << 20
"""Memory that a zstd stream may ask for; `zstd -19` needs 8 MB, `--long` 128 MB."""


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
            engine = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
            with engine.stream_reader(stream, read_across_frames=True, closefd=False) as plain:
                yield io.BufferedReader(plain)
        else:
            yield stream
    except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        raise BadInput(
            "The compressed input is damaged or cut off; send it again, best with a checksum."
        ) from error


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
