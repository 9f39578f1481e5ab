"""Decodes the files of a zip that are packed with bzip2 or LZMA, in little memory.

The standard library decodes all the bytes that it has read at once, and 600 bytes of bzip2 can hold
600 MB.
"""

import bz2
import io
import lzma
import struct
import zlib
from collections.abc import Callable
from copy import copy
from typing import IO, Any
from zipfile import ZIP_BZIP2, ZIP_LZMA, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

_BLOCK_BYTES = 1 << 16
_DICTIONARY_BYTES = 128 << 20
"""Most memory in bytes that decoding LZMA may need, as for zstd."""
_UNKNOWN_SIZE = b"\xff" * 8


class Decoded(io.RawIOBase):
    """The content of a file, which can be moved to its beginning only.

    Reading raises BadZipFile, EOFError, OSError and LZMAError for damage, and NotImplementedError
    for LZMA that needs too much memory.
    """

    def __init__(self, packed: IO[bytes], info: ZipInfo) -> None:
        """`packed` gives the bytes as they are in the zip."""
        self._packed = packed
        self._info = info
        self._begin()

    def _begin(self) -> None:
        self._decoder = DECODERS[self._info.compress_type](self._packed)
        self._checksum = self._given = 0

    def close(self) -> None:
        self._packed.close()
        super().close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._given

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if offset or whence != io.SEEK_SET:
            raise io.UnsupportedOperation
        self._packed.seek(0)
        self._begin()
        return 0

    def readinto(self, buffer: Any, /) -> int:
        content = b""
        size = min(len(buffer), self._info.file_size - self._given)
        while size and not content and not self._decoder.eof:
            block = self._packed.read(_BLOCK_BYTES) if self._decoder.needs_input else b""
            if self._decoder.needs_input and not block:
                raise EOFError
            content = self._decoder.decompress(block, size)
        self._checksum = zlib.crc32(content, self._checksum)
        self._given += len(content)
        if not content and self._checksum != self._info.CRC:
            raise BadZipFile
        buffer[: len(content)] = content
        return len(content)


def decoded(archive: ZipFile, info: ZipInfo) -> Decoded:
    """The content of a file whose method of packing is one of DECODERS. Raises what the library
    raises."""
    stored = copy(info)
    stored.compress_type, stored.file_size = ZIP_STORED, info.compress_size
    del stored.CRC  # It is the content's; the library checks none if there is none.
    return Decoded(archive.open(stored), info)


def _bzip2(_: IO[bytes]) -> Any:
    return bz2.BZ2Decompressor()


def _lzma(packed: IO[bytes]) -> Any:
    """A decoder by the settings at the beginning of the bytes, written as those of an `.lzma`."""
    head = packed.read(9)
    if len(head) < 9 or head[2:4] != b"\x05\x00":
        raise BadZipFile
    [dictionary] = struct.unpack("<L", head[5:])
    if dictionary > _DICTIONARY_BYTES:
        raise NotImplementedError
    decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE)
    decoder.decompress(head[4:] + _UNKNOWN_SIZE, max_length=0)
    return decoder


DECODERS: dict[int, Callable[[IO[bytes]], Any]] = {ZIP_BZIP2: _bzip2, ZIP_LZMA: _lzma}
"""Makes a decoder (`decompress`, `eof`, `needs_input`) by the method of packing."""
