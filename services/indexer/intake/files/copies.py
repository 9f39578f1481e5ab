"""Copies of inputs in temporary files, which readers in another process can open."""

import fcntl
import hashlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO

from services.indexer.intake.files.extracted import Unreadable

MAX_FILE_BYTES = 256 << 20
"""Largest file that is read, in bytes."""
_BLOCK_BYTES = 1 << 20
_PREFIX = "xunwen-input-"
_OLD_SECONDS = 60.0
"""Age from which on a copy that nobody holds is one that was left; a new one is not locked yet."""


@contextmanager
def on_disk(stream: IO[bytes]) -> Iterator[tuple[Path, str]]:
    """A temporary copy of a stream and its SHA-256. Raises Unreadable, and what the stream does.

    The copy is locked while the block runs, so that what a killed process has left is known.
    """
    _remove_left(tempfile.gettempdir())
    digest, size = hashlib.sha256(), 0
    with tempfile.NamedTemporaryFile(prefix=_PREFIX) as copy:
        fcntl.flock(copy, fcntl.LOCK_EX)
        while block := stream.read(_BLOCK_BYTES):
            size += len(block)
            if size > MAX_FILE_BYTES:
                most = f"{MAX_FILE_BYTES >> 20} MiB"
                raise Unreadable(f"is larger than {most}, the most that is read of one file")
            digest.update(block)
            copy.write(block)
        if not size:
            raise Unreadable("is empty")
        copy.flush()
        yield Path(copy.name), digest.hexdigest()


@cache
def _remove_left(folder: str) -> None:
    """Removes the copies of processes that were killed, once in the life of this process. Each has
    up to 256 MiB, and a worker that is killed for its memory reads the same input again."""
    for path in Path(folder).glob(f"{_PREFIX}*"):
        with suppress(OSError), path.open("rb") as copy:  # Another one's, or gone meanwhile.
            fcntl.flock(copy, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.stat().st_mtime < time.time() - _OLD_SECONDS:
                path.unlink()
