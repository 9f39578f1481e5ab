"""Reads compressed input, which is recognised by its first bytes whatever the headers say.

Both kinds are decoded by frames (gzip calls them members), each with a checksum at its end. The
readers of the libraries are not used: that of zstandard ends silently if its input is cut off,
which would index half a file as if it were whole, and that of gzip raises an OSError, which looks
like a failure of the disk.
"""

import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import zstandard

from services.indexer.intake.record import BadInput

_WINDOW_BYTES = 128 << 20
"""Memory in bytes that a zstd stream may need; `zstd -19` needs 8 MB, `--long` 128 MB."""
_BLOCK_BYTES = 1 << 10
"""Number of compressed bytes decoded at a time: at most 32 MB of text, however well it was
packed."""
_PLAIN_BYTES = 1 << 16
"""Most plain bytes that `beginning` decodes."""
_PADDING = b"\x00\r\n \t"
"""Bytes after the last frame that carry nothing, which tapes and shells add."""


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    magic: bytes
    check: str
    """Command with which a user checks such a file."""
    engine: Callable[[], Any]
    """Makes the decoder of one frame: `decompress`, `eof`, `unused_data`."""


def _zstd_engine() -> Any:
    return zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).decompressobj()


_GZIP = _Kind("gzip", b"\x1f\x8b", "gzip -t", lambda: zlib.decompressobj(zlib.MAX_WBITS | 16))
_ZSTD = _Kind("zstd", b"\x28\xb5\x2f\xfd", "zstd -t", _zstd_engine)


def kind_of(head: bytes) -> str | None:
    """`gzip` or `zstd` by the first bytes of an input; None if it is plain."""
    kind = _kind(head)
    return None if kind is None else kind.name


@contextmanager
def decompressed(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """The plain bytes of a seekable stream. Reading raises BadInput at damaged data."""
    kind = _kind(stream.read(4))
    stream.seek(0)
    yield stream if kind is None else io.BufferedReader(_Frames(stream, kind))


def beginning(head: bytes) -> bytes:
    """As much of the plain text as the first bytes of an input give. Raises BadInput."""
    kind = _kind(head)
    if kind is None:
        return head
    frame, plain = kind.engine(), b""
    try:
        for start in range(0, len(head), _BLOCK_BYTES):
            plain += frame.decompress(head[start : start + _BLOCK_BYTES])
            if frame.eof or len(plain) >= _PLAIN_BYTES:
                break
    except (zlib.error, zstandard.ZstdError) as error:
        raise _damaged(kind, len(plain)) from error
    return plain[:_PLAIN_BYTES]


class _Frames(io.RawIOBase):
    """The plain bytes of all frames of a stream."""

    def __init__(self, stream: IO[bytes], kind: _Kind) -> None:
        self._stream = stream
        self._kind = kind
        self._frame = kind.engine()
        self._begun = False
        """Whether the frame has been given bytes and has not ended."""
        self._ended = False
        """Whether a frame has ended."""
        self._packed = b""
        self._plain = memoryview(b"")
        self._given = 0
        """Number of plain bytes so far."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._plain:
            block = self._packed or self._stream.read(_BLOCK_BYTES)
            if not block:
                if self._begun:
                    raise BadInput(
                        f"The {self._kind.name} input is damaged: it is cut off after"
                        f" {self._given:,} bytes of its content. Send it again;"
                        f" `{self._kind.check} FILE` checks a file."
                    )
                return 0
            if self._ended and not self._begun and not self._next_frame(block):
                return 0
            self._decode(self._packed or block)
        size = min(len(buffer), len(self._plain))
        buffer[:size] = self._plain[:size]
        self._plain = self._plain[size:]
        return size

    def _decode(self, block: bytes) -> None:
        try:
            self._plain = memoryview(self._frame.decompress(block))
        except (zlib.error, zstandard.ZstdError) as error:
            raise _damaged(self._kind, self._given) from error
        self._given += len(self._plain)
        self._begun, self._packed = True, b""
        if self._frame.eof:
            self._packed = self._frame.unused_data
            self._frame, self._begun, self._ended = self._kind.engine(), False, True

    def _next_frame(self, block: bytes) -> bool:
        """Whether another frame begins; padding after the last one is the end."""
        while len(rest := block.lstrip(_PADDING)) < len(self._kind.magic):
            more = self._stream.read(_BLOCK_BYTES)
            if not more and not rest:
                return False
            if not more:
                break
            block = rest + more
        if not rest.startswith(self._kind.magic):
            raise BadInput(
                f"Behind the {self._kind.name} data, which end after {self._given:,} bytes of"
                " content, come bytes that are none; compress the input again as one file."
            )
        self._packed = rest
        return True


def _kind(head: bytes) -> _Kind | None:
    return next((kind for kind in (_GZIP, _ZSTD) if head.startswith(kind.magic)), None)


def _damaged(kind: _Kind, given: int) -> BadInput:
    where = f" after {given:,} bytes of its content" if given else " at its beginning"
    return BadInput(
        f"The {kind.name} input is damaged{where}; send it again."
        f" `{kind.check} FILE` checks a file."
    )
