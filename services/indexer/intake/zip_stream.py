"""The stream of a zip, which the standard library reads wherever the zip tells it to."""

import io
from typing import IO


class ZipStream:
    """A seekable stream that can be moved only within itself, as its library expects of a file.

    What a damaged zip tells may lie outside. A disk or an object store would fail there, and that
    would be taken for a failure of the storage.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._size = stream.seek(0, io.SEEK_END)

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
        """At most `size` bytes from the position on, by default all."""
        return self._stream.read(size)
