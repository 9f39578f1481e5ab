"""Packs several files, and the files of folders, into one zip."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from services.common.wire.input_formats import format_of_name
from xunwen.client.errors import XunwenError
from xunwen.client.files import blocks, is_folder, opened, spooling


def bundle(sink: IO[bytes], paths: Sequence[Path]) -> None:
    """Writes a zip of files and folders, with their paths below the folder that they share.

    A file of a format that is not read is entered by name only, so that the job reports it. Raises
    XunwenError for files that cannot be read.
    """
    files = list(dict.fromkeys(file for path in paths for file in _files(path)))
    if not files:
        raise XunwenError(f"There is no file in {', '.join(map(str, paths))}.")
    with spooling(), ZipFile(sink, "w", ZIP_STORED) as archive:
        for file, name in zip(files, _names(files, paths), strict=True):
            known = format_of_name(file.name)[0] is not None
            with archive.open(ZipInfo(name), "w", force_zip64=True) as member:
                if known:
                    _copy(file, member)


def readable(name: str) -> str:
    """The name of a file as it was meant. One that is not UTF-8 is read as GBK: a zip of Chinese
    Windows that was unpacked on Linux leaves such names."""
    content = os.fsencode(name)
    for charset in ("utf-8", "gb18030"):
        try:
            return content.decode(charset)
        except UnicodeDecodeError:
            continue
    return content.decode("utf-8", "replace")


def _files(path: Path) -> Iterator[Path]:
    """Yields the file itself, or all files below a folder, without hidden ones. Raises
    XunwenError.

    Links to folders elsewhere are followed; no folder is entered twice.
    """
    if not is_folder(path):
        yield path
        return
    root = Path(os.path.realpath(path))
    entered = {root}

    def enters(folder: Path) -> bool:
        """Whether a folder is entered here, and not by another way."""
        real = Path(os.path.realpath(folder))
        if real in entered or (folder.is_symlink() and real.is_relative_to(root)):
            return False
        entered.add(real)
        return True

    for folder, folders, names in os.walk(path, onerror=_refuse, followlinks=True):
        shown = sorted(name for name in folders if not name.startswith("."))
        folders[:] = [name for name in shown if enters(Path(folder, name))]
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _names(files: Sequence[Path], paths: Sequence[Path]) -> list[str]:
    """The names of the files in the zip, which are the ids of documents.

    They depend neither on the folder from which the files are sent nor on the other files, as long
    as the folders are the same.
    """
    roots = [path.absolute() if is_folder(path) else path.absolute().parent for path in paths]
    shared = os.path.commonpath([os.path.normpath(root) for root in roots])
    return [readable(Path(os.path.relpath(file, shared)).as_posix()) for file in files]


def _refuse(error: OSError) -> None:
    raise XunwenError(f"{error.filename} cannot be read: {error.strerror}.") from error


def _copy(file: Path, member: IO[bytes]) -> None:
    with opened(file) as stream:
        for block in blocks(stream, file):
            member.write(block)
