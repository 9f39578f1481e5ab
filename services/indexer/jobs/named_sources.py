"""Reads inputs that a job names, under roots that the operator allowed."""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec

from services.common.errors import Forbidden, InvalidRequest, NotFound, Unavailable
from services.common.objects import FAILURES, ObjectStoreSettings

_BLOCK_BYTES = 4 << 20
_REMOTE = "s3"
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


class NamedSources:
    """Files of this machine and objects of S3-compatible stores.

    HTTP addresses are not read, since a server could redirect to an internal one.
    """

    def __init__(self, roots: list[str], objects: ObjectStoreSettings) -> None:
        self._objects = objects
        self._directories = [
            Path(_local_path(root)).resolve() for root in roots if _scheme(root) == "file"
        ]
        self._prefixes = [root.rstrip("/") + "/" for root in roots if _scheme(root) == _REMOTE]

    async def read(self, address: str) -> AsyncIterator[bytes]:
        """Blocks of an allowed input. Raises InvalidRequest, Forbidden, NotFound, Unavailable."""
        try:
            stream = await asyncio.to_thread(self._opened, address)
            with contextlib.closing(stream):
                while block := await asyncio.to_thread(stream.read, _BLOCK_BYTES):
                    yield block
        except FAILURES as error:
            absent = isinstance(error, OSError) and error.errno in _NOT_THERE
            if absent or isinstance(error, FileNotFoundError):
                raise NotFound("There is no such input.") from None
            raise Unavailable("The input cannot be read; check its permissions.") from error

    def _opened(self, address: str) -> Any:
        """A stream over an allowed input. Raises the errors of its file system too."""
        try:
            return self._open(self._allowed(address))
        except (ValueError, RuntimeError):
            # The path holds a NUL, a bracket that opens no IPv6 address, a bucket without a key, or
            # links in a ring.
            raise InvalidRequest("`source` cannot be an address.") from None

    def _open(self, address: str) -> Any:
        """Opens an address with the file system of its scheme, never as fsspec guesses it."""
        if _scheme(address) == _REMOTE:
            options = {"use_listings_cache": False, **self._objects.options(address)}
            return fsspec.filesystem(_REMOTE, **options).open(address, "rb")
        return Path(address).open("rb")

    def _allowed(self, address: str) -> str:
        scheme = _scheme(address)
        if scheme == _REMOTE:
            # fsspec reads `a::b` as a chain of file systems, whose second link is anyone's.
            inside = ".." not in address and "::" not in address
            if inside and any(address.startswith(root) for root in self._prefixes):
                return address
        elif scheme == "file":
            # The path is resolved before it is compared, so that neither `..` nor a link leads out
            # of a root.
            path = Path(_local_path(address)).resolve()
            if any(path.is_relative_to(root) for root in self._directories):
                if not path.is_file():
                    raise NotFound("There is no such input.")
                return str(path)
        else:
            raise InvalidRequest("`source` is a path, file:// or s3:// address.")
        raise Forbidden("`source` is not under an allowed root; ask the operator for one.")


def _scheme(address: str) -> str:
    return urlsplit(address).scheme or "file"


def _local_path(address: str) -> str:
    return unquote(urlsplit(address).path) if address.startswith("file:") else address
