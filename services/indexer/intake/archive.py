"""Reads a zip of files: their names as users gave them, and their contents."""

import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import PurePosixPath
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from services.indexer.intake.record import BadInput
from services.indexer.intake.zip_decoding import DECODERS, decoded
from services.indexer.intake.zip_stream import IGNORED, ZipStream
from services.indexer.streams import ReadStream

_ENCRYPTED = 0x1
_UTF8_NAME = 0x800
_IGNORED = re.compile(IGNORED, re.IGNORECASE)
_FAILURES = (
    BadZipFile,
    EOFError,
    LZMAError,
    OSError,
    RuntimeError,
    UnicodeDecodeError,
    zlib.error,
)
"""Errors of a damaged zip: also those of the decoders, of a name that is not UTF-8, of a position
outside the zip, and of kinds of files that the library does not read."""
_UNREADABLE = "The zip is damaged or cut off: its directory cannot be read; pack it again."
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive."""

    name: str
    """Name with its folders, such as `papers/a.pdf`."""
    info: ZipInfo

    @property
    def problem(self) -> str:
        """Reason why the file cannot be read at all; empty if none is known."""
        if self.info.flag_bits & _ENCRYPTED:
            return "is encrypted in the zip; pack it without a password"
        return "is empty" if not self.info.file_size else ""


@contextmanager
def opened(stream: IO[bytes]) -> Iterator[ZipFile]:
    """The archive in a seekable stream. Raises BadInput for one that cannot be read, and for one of
    too many files before it takes memory for each of them."""
    zipped = ZipStream(stream)
    try:
        archive = ZipFile(zipped)
    except _FAILURES as error:
        raise BadInput(_UNREADABLE) from error
    with archive:
        # An entry with a damaged length takes in the next ones, and the library does not notice.
        named = all(info.filename for info in archive.infolist())
        if zipped.entries != len(archive.infolist()) or not named:
            raise BadInput(_UNREADABLE)
        yield archive


def members(archive: ZipFile) -> list[Member]:
    """The files in the order of the archive, without those of systems. Raises BadInput."""
    found = [
        Member(name, info)
        for info in archive.infolist()
        if not info.is_dir() and not _IGNORED.search(name := _name(info))
    ]
    if not found:
        raise BadInput("The zip holds no files.")
    return found


@contextmanager
def content(archive: ZipFile, member: Member) -> Iterator[IO[bytes]]:
    """A seekable stream of the content of a file. Raises BadInput, also at reads."""
    try:
        opening = decoded if member.info.compress_type in DECODERS else ZipFile.open
        inner = opening(archive, member.info)
    except _FAILURES as error:
        raise _damaged(error) from error
    with inner:
        yield io.BufferedReader(ReadStream(inner, _FAILURES, _damaged))


def _damaged(error: Exception) -> BadInput:
    if isinstance(error, NotImplementedError):
        return BadInput(
            "The file is packed in a way that is not read; pack it again with the usual method,"
            " Deflate."
        )
    return BadInput("The file is damaged in the zip; pack it again.")


def _name(info: ZipInfo) -> str:
    """The name of a file; a zip of Chinese Windows does not tell its charset."""
    name = info.filename
    if not info.flag_bits & _UTF8_NAME and not name.isascii():
        content = name.encode("cp437", "replace")
        for charset in ("utf-8", "gb18030"):
            try:
                name = content.decode(charset)
                break
            except UnicodeDecodeError:
                continue
    parts = PurePosixPath(_CONTROLS.sub("_", name.replace("\\", "/"))).parts
    return "/".join(part for part in parts if part not in ("/", "..", "."))
