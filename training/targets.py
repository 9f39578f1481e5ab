"""Checks, before anything is computed, that the result can be written."""

import errno
import os
from pathlib import Path


def check_target(path: Path | None) -> None:
    """Makes the folder of a file that `durable` writes at the end. Raises OSError if the file could
    not be written there; None is no file."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    # A file is replaced by another one, for which its folder has to be writable too.
    places = {path.resolve().parent if path.is_file() else path.parent, path}
    for place in places:
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
