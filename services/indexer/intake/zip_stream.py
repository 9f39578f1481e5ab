"""The stream of a zip, whose reader, the standard library's, trusts what the zip says of itself."""

import io
from typing import IO

from services.indexer.intake.record import BadInput

MAX_FILES = 100_000
_ENTRY = b"PK\x01\x02"
"""First bytes of each entry of the directory."""
_USUAL_ENTRY = 512
"""Most bytes of an entry with its name on average: 140 Chinese characters and some extras."""


class ZipStream:
    """A seekable stream that can be moved only within itself, and that gives no directory with more
    entries than MAX_FILES.

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
        if self.entries > MAX_FILES:
            raise _too_many()
        return content


def _too_many() -> BadInput:
    return BadInput(
        f"The zip holds more than {MAX_FILES:,} files and folders, with those that macOS adds, or"
        " their names are very long; divide it into several."
    )
