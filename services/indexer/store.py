"""Durable objects under one root: a directory, or an object store that fsspec knows.

An object is there completely or not at all. On a local disk that takes fsync and a rename;
an object store gives it by itself when a write is closed.
"""

import asyncio
import io
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import IO, Any

import fsspec
from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
from fsspec.implementations.local import LocalFileSystem

from services.common.errors import Unavailable

_TEMPORARY = ".writing-"
FAILURES = (OSError, BotoCoreError)
"""Of a disk or an object store."""
_BUFFER_BYTES = 1 << 20


class NoSuchObject(LookupError):
    """There is no object of this name."""


class ObjectStore:
    """Synchronous; call it from threads. Failures of the medium are Unavailable."""

    def __init__(self, url: str) -> None:
        # Other processes write there too: what a listing said before means nothing.
        self._fs, self._root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        self._local = isinstance(self._fs, LocalFileSystem)

    def check(self) -> None:
        """Raises Unavailable when the root cannot be written."""
        self.write("health", b"ok")

    def read(self, key: str) -> bytes:
        """Raises NoSuchObject, Unavailable."""
        with self.open(key) as stream:
            content: bytes = stream.read()
        return content

    @contextmanager
    def open(self, key: str) -> Iterator[IO[bytes]]:
        """A stream over the object. Raises NoSuchObject, Unavailable."""
        try:
            stream = self._fs.open(self._path(key), "rb")
            if not self._local:  # whose files lack a bounded readline
                stream = io.BufferedReader(stream, _BUFFER_BYTES)
        except FileNotFoundError:
            raise NoSuchObject(key) from None
        except FAILURES as error:
            raise _unavailable(error) from error
        with stream:
            yield stream

    def write(self, key: str, content: bytes) -> None:
        with self.writer(key) as stream:
            stream.write(content)

    @contextmanager
    def writer(self, key: str) -> Iterator[IO[bytes]]:
        """The object appears, durable, when the block ends well. Raises Unavailable."""
        path = self._path(key)
        try:
            if self._local:
                with self._local_writer(path) as stream:
                    yield stream
            else:
                with self._remote_writer(path) as stream:
                    yield stream
        except FAILURES as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def upload(self, key: str) -> AsyncIterator[IO[bytes]]:
        """`writer` for an event loop: the fsync of gigabytes holds up nobody else."""
        context = self.writer(key)
        stream = await asyncio.to_thread(context.__enter__)
        try:
            yield stream
        except BaseException as error:
            ended = asyncio.to_thread(context.__exit__, type(error), error, error.__traceback__)
            await asyncio.shield(ended)
            raise
        await asyncio.to_thread(context.__exit__, None, None, None)

    @contextmanager
    def _local_writer(self, path: str) -> Iterator[IO[bytes]]:
        directory = os.path.dirname(path)  # noqa: PTH120 - fsspec's paths are text
        os.makedirs(directory, exist_ok=True)  # noqa: PTH103
        temporary = f"{path}{_TEMPORARY}{uuid.uuid4().hex}"
        try:
            with open(temporary, "xb") as stream:  # noqa: PTH123
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)  # noqa: PTH105
        except BaseException:
            if os.path.exists(temporary):  # noqa: PTH110
                os.unlink(temporary)  # noqa: PTH108
            raise
        # The entry, and the directory's own entry if it is new, must survive a power cut too.
        _sync_directory(directory)
        _sync_directory(os.path.dirname(directory))  # noqa: PTH120

    @contextmanager
    def _remote_writer(self, path: str) -> Iterator[IO[bytes]]:
        stream = self._fs.open(path, "wb")
        try:
            yield stream
        except BaseException:
            stream.discard()
            stream.closed = True  # else the collector of garbage writes it after all
            raise
        stream.close()

    def names(self, prefix: str) -> list[str]:
        """Names directly under a prefix, sorted; none if it is not there."""
        try:
            found: list[dict[str, Any]] = self._fs.ls(self._path(prefix), detail=True)
        except FileNotFoundError:
            return []
        except FAILURES as error:
            raise _unavailable(error) from error
        names = [str(item["name"]).rstrip("/").rsplit("/", 1)[-1] for item in found]
        return sorted(name for name in names if _TEMPORARY not in name)

    def exists(self, key: str) -> bool:
        try:
            return bool(self._fs.exists(self._path(key)))
        except FAILURES as error:
            raise _unavailable(error) from error

    def remove(self, prefix: str) -> None:
        """Removes an object or all objects under a prefix; no error if there are none."""
        try:
            self._fs.rm(self._path(prefix), recursive=True)
        except FileNotFoundError:
            return
        except FAILURES as error:
            raise _unavailable(error) from error

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"


def _sync_directory(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unavailable(error: Exception) -> Unavailable:
    reason = (getattr(error, "strerror", None) or "it cannot be used").lower()
    return Unavailable(
        f"The indexer's storage fails: {reason}. Nothing was accepted.", retry_after=10
    )
