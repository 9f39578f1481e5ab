"""Files and folders that a power cut does not take back."""

import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO


def replace(target: Path, fill: Callable[[IO[bytes]], object], *, alone: bool = False) -> None:
    """Writes a file as a whole: until this returns, the one before it is there, if there was any.

    Processes and machines that write one file at once do not disturb each other; the last one
    counts. A caller that is `alone` in writing the file has its next call remove what a kill left
    behind. What is no plain file, such as `/dev/stdout`, is written to as it is.
    """
    if target.exists() and not target.is_file():
        with target.open("wb") as stream:
            fill(stream)
        return
    target = target.resolve()  # A link stays a link.
    writer = "" if alone else f".{secrets.token_hex(4)}"
    partial = target.with_name(f".{target.name}{writer}.partial")
    try:
        with partial.open("wb") as stream:
            fill(stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    _sync(target.parent)


def write(target: Path, text: str) -> None:
    """Writes a text as `replace` does, and makes the folder of the file if there is none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    replace(target, lambda stream: stream.write(text.encode()))


def write_lines(target: Path, lines: Iterable[str]) -> int:
    """Writes lines as `write` does a text, one at a time in memory, and returns their number."""
    target.parent.mkdir(parents=True, exist_ok=True)
    count = 0

    def fill(stream: IO[bytes]) -> None:
        nonlocal count
        for line in lines:
            stream.write(f"{line}\n".encode())
            count += 1

    replace(target, fill)
    return count


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
