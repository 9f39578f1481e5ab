"""The stream of a zip, whose reader, the standard library's, trusts what the zip says of itself."""

import io
import re
import struct
from typing import IO

from services.indexer.intake.record import BadInput

MAX_FILES = 100_000
"""Most files and folders, without those of systems."""
MAX_ENTRIES = 3 * MAX_FILES
"""Most entries of the directory: macOS adds one for each file, and one or two for each folder."""
IGNORED = r"(?:^|/)(?:__MACOSX/|\.|~\$|(?:Thumbs\.db|desktop\.ini)$)"
"""Pattern of files that systems and programs have written, which are ignored."""
_IGNORED = re.compile(IGNORED.encode(), re.IGNORECASE)
_ENTRY = b"PK\x01\x02"
"""First bytes of each entry of the directory."""
_SHORTEST_ENTRY = 46
_LENGTHS = struct.Struct("<3H")
_LENGTHS_AT = 28
"""Place in an entry of the lengths of its name, its extras and its comment, which follow it."""
_USUAL_ENTRY = 512
"""Most bytes of an entry with its name on average: 140 Chinese characters and some extras."""


class ZipStream:
    """A seekable stream that can be moved only within itself, and that gives no directory of more
    files than MAX_FILES.

    A position outside makes a disk or an object store fail, which would be taken for a failure of
    the storage. The directory is read at once, and then takes ten times its size in memory. Its
    entries are counted here, since the number that the zip tells may be wrong.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._size = stream.seek(0, io.SEEK_END)
        self.entries = 0
        """Number of beginnings of an entry in what was read last; once the zip is opened, that is
        its directory."""

    def seekable(self) -> bool:
        """True: the stream can be positioned."""
        return True

    def tell(self) -> int:
        """The position in bytes."""
        return self._stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Moves to a position and returns it. Raises OSError for one outside the stream."""
        starts = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}
        place = starts[whence] + offset
        if not 0 <= place <= self._size:
            raise OSError("The position is outside the zip.")
        return self._stream.seek(place)

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes from the position on, by default all. Raises BadInput."""
        if size > MAX_FILES * _USUAL_ENTRY:
            raise _too_many()
        content = self._stream.read(size)
        self.entries = content.count(_ENTRY)
        # Contents of files are read in pieces, which are too short to be such a directory.
        if self.entries > MAX_ENTRIES or (self.entries > MAX_FILES and _files(content) > MAX_FILES):
            raise _too_many()
        return content


def _files(directory: bytes) -> int:
    """The number of files and folders that a directory names, without those of systems. Counting
    ends at damage, where the reader ends too."""
    count = place = 0
    while directory.startswith(_ENTRY, place) and place + _SHORTEST_ENTRY <= len(directory):
        name, *rest = _LENGTHS.unpack_from(directory, place + _LENGTHS_AT)
        begin = place + _SHORTEST_ENTRY
        count += not _IGNORED.search(directory[begin : begin + name])
        place = begin + name + sum(rest)
    return count


def _too_many() -> BadInput:
    return BadInput(
        f"The zip holds more than {MAX_FILES:,} files and folders beside those that systems add, or"
        " their names are very long; divide it into several."
    )
