"""Checks, before anything is computed, that the result can be written."""

import errno
import os
from pathlib import Path


def check_target(path: Path | None) -> None:
    """Makes the folder of a file that is written at the end. Raises OSError if the file could not
    be written there; None is no file."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
