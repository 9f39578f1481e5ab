"""Durable objects under one root: a directory, or an object store that fsspec knows.

An object is there completely or not at all. On a local disk that takes fsync and a rename; an
object store gives it by itself when a write is closed. Failures of the medium become Unavailable
where they arise, so that errors of the code that reads and writes are never taken for them.
"""

import asyncio
import contextlib
import io
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import IO, Any, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

from services.common.errors import Unavailable
from services.common.objects import FAILURES
from services.indexer.streams import ReadStream, WriteStream

_TEMPORARY = ".writing-"
_BUFFER_BYTES = 1 << 20


class NoSuchObject(LookupError):
    """There is no object of this name."""


class ObjectStore:
    """Objects by key. All methods but `upload` are synchronous, to be called from threads.

    Failures of the medium become Unavailable.
    """

    def __init__(self, url: str, options: dict[str, Any] | None = None) -> None:
        """`options` are further ones of the file system, such as its certificates."""
        # Other processes write there too, so a listing must not be cached.
        options = {"use_listings_cache": False, **(options or {})}
        self._fs, self._root = fsspec.core.url_to_fs(url, **options)
        self._local = isinstance(self._fs, LocalFileSystem)

    def check(self) -> None:
        """Raises Unavailable if the root cannot be written."""
        self.write("health", b"ok")

    def read(self, key: str) -> bytes:
        """The content of an object. Raises NoSuchObject, Unavailable."""
        with self.open(key) as stream:
            content: bytes = stream.read()
        return content

    @contextmanager
    def open(self, key: str) -> Iterator[IO[bytes]]:
        """A seekable stream over an object. Raises NoSuchObject, Unavailable, also at reads."""
        with _medium():
            inner = self._fs.open(self._path(key), "rb")
        with inner:
            yield io.BufferedReader(ReadStream(inner, FAILURES, _unavailable), _BUFFER_BYTES)

    def write(self, key: str, content: bytes) -> None:
        """Writes an object, which is durable when this returns. Raises Unavailable."""
        with self.writer(key) as stream:
            stream.write(content)

    @contextmanager
    def writer(self, key: str) -> Iterator[IO[bytes]]:
        """A stream whose object appears, durable, if the block ends without an exception.

        Raises Unavailable, also at writes. Any other exception comes from the block itself.
        """
        path = self._path(key)
        with _medium():
            pending = _LocalFile(path) if self._local else _RemoteFile(self._fs, path)
        try:
            yield cast("IO[bytes]", WriteStream(pending.stream, FAILURES, _unavailable))
        except BaseException:
            with contextlib.suppress(*FAILURES):
                pending.discard()
            raise
        with _medium():
            pending.commit()

    @asynccontextmanager
    async def upload(self, key: str) -> AsyncIterator[IO[bytes]]:
        """`writer` for an event loop, which the fsync of gigabytes would hold up."""
        context = self.writer(key)
        stream = await asyncio.to_thread(context.__enter__)
        try:
            yield stream
        except BaseException as error:
            ended = asyncio.to_thread(context.__exit__, type(error), error, error.__traceback__)
            await asyncio.shield(ended)
            raise
        await asyncio.to_thread(context.__exit__, None, None, None)

    def names(self, prefix: str) -> list[str]:
        """Names directly under a prefix, sorted; an empty list if the prefix does not exist."""
        try:
            with _medium():
                entries: list[dict[str, Any]] = self._fs.ls(self._path(prefix), detail=True)
        except NoSuchObject:
            return []
        names = [str(item["name"]).rstrip("/").rsplit("/", 1)[-1] for item in entries]
        return sorted(name for name in names if _TEMPORARY not in name)

    def under(self, prefix: str) -> list[str]:
        """Keys of all objects under a prefix without it, at any depth; an empty list if there are
        none."""
        root = self._path(prefix)
        try:
            with _medium():
                keys: list[str] = self._fs.find(root)
        except NoSuchObject:
            return []
        return sorted(key.removeprefix(f"{root}/") for key in keys if _TEMPORARY not in key)

    def exists(self, key: str) -> bool:
        """Whether an object exists. Raises Unavailable."""
        with _medium():
            return bool(self._fs.exists(self._path(key)))

    def remove(self, prefix: str) -> None:
        """Removes an object or all objects under a prefix; does nothing if there are none."""
        with contextlib.suppress(NoSuchObject), _medium():
            self._fs.rm(self._path(prefix), recursive=True)

    def location(self, key: str) -> str:
        """The path of an object for another program: that on the disk, or that in the bucket."""
        path = self._path(key)
        return path if self._local else path.partition("/")[2]

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"


class _LocalFile:
    """A file that is written under another name and then renamed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._directory = os.path.dirname(path)  # noqa: PTH120 - fsspec's paths are text
        os.makedirs(self._directory, exist_ok=True)  # noqa: PTH103
        self._temporary = f"{path}{_TEMPORARY}{uuid.uuid4().hex}"
        self.stream = open(self._temporary, "xb")  # noqa: PTH123, SIM115

    def commit(self) -> None:
        try:
            self.stream.flush()
            os.fsync(self.stream.fileno())
            self.stream.close()
            os.replace(self._temporary, self._path)  # noqa: PTH105
        except BaseException:
            self.discard()
            raise
        # The directory entry, and the directory's own entry if it is new, must survive a power cut
        # too.
        _sync_directory(self._directory)
        _sync_directory(os.path.dirname(self._directory))  # noqa: PTH120

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self.stream.close()
        if os.path.exists(self._temporary):  # noqa: PTH110
            os.unlink(self._temporary)  # noqa: PTH108


class _RemoteFile:
    """An object of an object store, which appears when its stream is closed."""

    def __init__(self, filesystem: Any, path: str) -> None:
        self.stream = filesystem.open(path, "wb")

    def commit(self) -> None:
        self.stream.close()

    def discard(self) -> None:
        self.stream.discard()
        if isinstance(self.stream, AbstractBufferedFile):
            # Otherwise the garbage collector would still write the object.
            self.stream.closed = True


@contextmanager
def _medium() -> Iterator[None]:
    """A block that uses the medium only. Raises NoSuchObject, Unavailable."""
    try:
        yield
    except FileNotFoundError:
        raise NoSuchObject("There is no object of this name.") from None
    except FAILURES as error:
        raise _unavailable(error) from error


def _sync_directory(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unavailable(error: Exception) -> Unavailable:
    reason = (getattr(error, "strerror", None) or "it cannot be used").lower()
    return Unavailable(f"The indexer's storage fails: {reason}.", retry_after=10)
