"""Input that a job names instead of sending: only under roots that the operator has allowed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec

from services.common.errors import Forbidden, InvalidRequest, NotFound, Unavailable
from services.indexer.store import FAILURES

_BLOCK_BYTES = 4 << 20
_REMOTE = "s3"


class Sources:
    """Files of this machine and objects of S3-compatible stores. No HTTP: nothing redirects."""

    def __init__(self, roots: list[str]) -> None:
        self._directories = [
            Path(_local_path(root)).resolve() for root in roots if _scheme(root) == "file"
        ]
        self._prefixes = [root.rstrip("/") + "/" for root in roots if _scheme(root) == _REMOTE]

    async def read(self, address: str) -> AsyncIterator[bytes]:
        """An allowed input. Raises InvalidRequest, Forbidden, NotFound, Unavailable."""
        allowed = await asyncio.to_thread(self._allowed, address)
        try:
            stream = await asyncio.to_thread(_open, allowed)
            with contextlib.closing(stream):
                while block := await asyncio.to_thread(stream.read, _BLOCK_BYTES):
                    yield block
        except FileNotFoundError:
            raise NotFound("There is no such input.") from None
        except FAILURES as error:
            raise Unavailable("The input cannot be read; check its permissions.") from error

    def _allowed(self, address: str) -> str:
        scheme = _scheme(address)
        if scheme == _REMOTE:
            # fsspec reads `a::b` as a chain of file systems, whose second link is anyone's.
            inside = ".." not in address and "::" not in address
            if inside and any(address.startswith(root) for root in self._prefixes):
                return address
        elif scheme == "file":
            # Resolved before it is compared: neither `..` nor a link leads out of a root.
            path = Path(_local_path(address)).resolve()
            if any(path.is_relative_to(root) for root in self._directories):
                if not path.is_file():
                    raise NotFound("There is no such input.")
                return str(path)
        else:
            raise InvalidRequest("`source` is a path, file:// or s3:// address.")
        raise Forbidden("`source` is not under an allowed root; ask the operator for one.")


def _open(address: str) -> Any:
    """Each scheme by its own file system, never by fsspec's guess from the address."""
    if _scheme(address) == _REMOTE:
        return fsspec.filesystem(_REMOTE, use_listings_cache=False).open(address, "rb")
    return Path(address).open("rb")


def _scheme(address: str) -> str:
    return urlsplit(address).scheme or "file"


def _local_path(address: str) -> str:
    return unquote(urlsplit(address).path) if address.startswith("file:") else address
