"""Opens the files that are sent, and the temporary ones in which several are gathered."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from xunwen.client.errors import XunwenError

BLOCK_BYTES = 1 << 20


def path_of(name: str | Path) -> Path:
    """The path of a file or a folder. Raises XunwenError for an empty name, which would be taken
    for the working folder."""
    if not str(name):
        raise XunwenError("The name of a file is empty; name a file, or `.` for this folder.")
    return Path(name)


def is_folder(path: Path) -> bool:
    """Whether the path is a folder. Raises XunwenError if nobody can tell, as of a path within a
    folder that may not be read."""
    try:
        return path.is_dir()
    except OSError as error:
        raise XunwenError(f"{path} cannot be read: {error.strerror}.") from error


def opened(path: Path) -> BinaryIO:
    """A file, open for reading. Raises XunwenError.

    A pipe is refused, since its size is not known and it can be read once only.
    """
    try:
        if path.exists() and not path.is_file():
            raise XunwenError(f"{path} is no file that can be sent; write its content to a file.")
        return path.open("rb")
    except OSError as error:
        raise XunwenError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise XunwenError("The name of a file holds no zero character.") from error


def blocks(stream: BinaryIO, what: object) -> Iterator[bytes]:
    """What follows in a stream, piece by piece. Raises XunwenError, which says that `what` cannot
    be read."""
    try:
        while block := stream.read(BLOCK_BYTES):
            yield block
    except OSError as error:
        raise XunwenError(f"{what} cannot be read: {error.strerror}.") from error


@contextmanager
def spool() -> Iterator[BinaryIO]:
    """A temporary file, which is deleted after the block. Raises XunwenError."""
    with spooling():
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below, whatever that raises
    try:
        yield file
    finally:
        # What did not fit is still buffered, and to write it fails again.
        with suppress(OSError):
            file.close()


@contextmanager
def spooling() -> Iterator[None]:
    """Names the folder of temporary files where a block that writes to one fails. Raises
    XunwenError."""
    try:
        yield
    except OSError as error:
        raise XunwenError(
            f"The input cannot be gathered in {tempfile.gettempdir()}: {error.strerror}; free some"
            " space there or set TMPDIR to another folder."
        ) from error
