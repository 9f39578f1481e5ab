"""Files and folders that a power cut does not take back."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO


def replace(target: Path, fill: Callable[[IO[bytes]], object], writer: str = "") -> None:
    """Writes a file as a whole: until this returns, the one before it is there, if there was any.

    Several writers of one file at once each have a name.
    """
    partial = target.with_name(f".{target.name}{writer}.partial")
    with partial.open("wb") as stream:
        fill(stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(target)
    _sync(target.parent)


def put(folder: Path, target: Path) -> None:
    """Puts a folder in the place of another one on the same disk, if there is one there.

    Whenever the process ends, one of them is there as a whole; only in the moment between two
    renames there is none, and the one before lies beside `folder`.
    """
    sync(folder)
    before = folder.with_name(f"{folder.name}.before")
    if target.exists():
        target.rename(before)
    try:
        folder.rename(target)
    except OSError:
        if before.exists():
            before.rename(target)
        raise
    _sync(target.parent)


def sync(folder: Path) -> None:
    """Returns when a folder, with all that is in it, is on the disk."""
    for path in (*folder.rglob("*"), folder, folder.parent):
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
