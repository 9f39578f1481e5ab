"""Originals: the files whose documents are in a collection, kept so that people can read them.

Each lies under `originals/<collection>/<digest of the id>/<version>-<bytes>.<format>`, with the
version of the write that brought it. The document says how many bytes its original has, so a
document whose metadata were changed still names the file it came from, and one that was replaced
by something else names none.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

from services.common.documents import Content
from services.common.filters import compile_filter
from services.common.wire.input_formats import InputFormat
from services.indexer.store import NoSuchObject, ObjectStore

FIELD = "original_bytes"
"""The metadata field with the size of a document's original in bytes."""
HAS_ONE = compile_filter({FIELD: {"gte": 0}})
"""The expression that selects the documents with an original."""
_ROOT = "originals"
_BLOCK_BYTES = 1 << 18
_ASKED_ONE_BY_ONE = 50
"""Most ids that the store is asked about one by one; beyond that it lists the collection once."""


@dataclass(frozen=True, slots=True, order=True)
class Original:
    """A file that is kept."""

    version: int
    """Version of the write that brought it."""
    size: int
    format: InputFormat

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """The original of an object's name; None for another object."""
        numbers, _, kind = name.partition(".")
        version, _, size = numbers.partition("-")
        try:
            return cls(int(version), int(size), InputFormat(kind))
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.version}-{self.size}.{self.format}"


@dataclass(frozen=True, slots=True)
class OpenOriginal:
    """An original that is open for reading."""

    format: InputFormat
    name: str
    """Name of the file without its folders."""
    size: int
    stream: IO[bytes]
    opened: ExitStack

    @property
    def media_type(self) -> str:
        """The media type of the format."""
        return next(iter(self.format.media_types), "text/plain")

    @property
    def disposition(self) -> str:
        """The header that lets browsers show a PDF and store any other file under its name."""
        # A web page that is shown runs its scripts with the rights of the gateway's own pages.
        how = "inline" if self.format is InputFormat.PDF else "attachment"
        return f"{how}; filename*=UTF-8''{quote(self.name, safe='')}"

    def blocks(self) -> Iterator[bytes]:
        """The content of the file in blocks; its stream is closed after the last one."""
        with self.opened:
            while block := self.stream.read(_BLOCK_BYTES):
                yield block


@dataclass(frozen=True, slots=True)
class Originals:
    """The originals in a store. All methods are synchronous and raise Unavailable."""

    store: ObjectStore
    most_bytes: int = 0
    """Largest file that is kept in bytes."""

    def keeps(self, path: Path) -> bool:
        """Whether a file is small enough to be kept."""
        return path.stat().st_size <= self.most_bytes

    def keep(
        self, collection: str, identity: str, path: Path, kind: InputFormat, version: int
    ) -> None:
        """Keeps a copy of a file for the document of this id that a write of this version
        brings."""
        original = Original(version, path.stat().st_size, kind)
        key = f"{_folder(collection, identity)}/{original}"
        with path.open("rb") as read, self.store.writer(key) as written:
            shutil.copyfileobj(read, written, _BLOCK_BYTES)

    def open(self, collection: str, document: Content, version: int) -> OpenOriginal | None:
        """The original of a document as it is stored under a version; None without one."""
        folder = _folder(collection, document.id)
        found = named(_parsed(self.store.names(folder)), document, version)
        if found is None:
            return None
        with ExitStack() as stack:
            try:
                stream = stack.enter_context(self.store.open(f"{folder}/{found}"))
            except NoSuchObject:  # It was deleted since.
                return None
            file = document.fields.get("file")
            name = (file if isinstance(file, str) else document.id).rsplit("/", 1)[-1]
            return OpenOriginal(found.format, name, found.size, stream, stack.pop_all())

    def delete(self, collection: str, ids: Sequence[str], version: int) -> None:
        """Deletes what writes before this version have kept for documents of these ids."""
        folders = {digest_of(identity): _folder(collection, identity) for identity in ids}
        if len(folders) > _ASKED_ONE_BY_ONE:
            known = set(self.store.names(f"{_ROOT}/{collection}"))
            folders = {digest: folder for digest, folder in folders.items() if digest in known}
        for folder in folders.values():
            for one in _parsed(self.store.names(folder)):
                if one.version < version:
                    self.store.remove(f"{folder}/{one}")

    def all(self, collection: str) -> dict[str, list[Original]]:
        """The originals of a collection by the digest of their documents' ids."""
        found: dict[str, list[Original]] = {}
        for key in self.store.under(f"{_ROOT}/{collection}"):
            digest, _, name = key.partition("/")
            found.setdefault(digest, []).extend(_parsed([name]))
        return found

    def collections(self) -> list[str]:
        """Names of the collections that have or had originals."""
        return self.store.names(_ROOT)

    def remove(self, collection: str, stale: Mapping[str, Sequence[Original]]) -> None:
        """Removes originals, given as `all` gives them."""
        for digest, several in stale.items():
            for one in several:
                self.store.remove(f"{_ROOT}/{collection}/{digest}/{one}")

    def drop(self, collection: str) -> None:
        """Removes all originals of a collection."""
        self.store.remove(f"{_ROOT}/{collection}")


def named(several: Sequence[Original], document: Content, version: int) -> Original | None:
    """The one of several originals that a document of this version names: the newest of its size
    that is not newer than the document."""
    size = document.fields.get(FIELD)
    fitting = [one for one in several if one.version <= version and one.size == size]
    return max(fitting, default=None)


def digest_of(identity: str) -> str:
    """The digest of a document's id, by which its originals are filed."""
    return hashlib.sha256(identity.encode()).hexdigest()


def _folder(collection: str, identity: str) -> str:
    return f"{_ROOT}/{collection}/{digest_of(identity)}"


def _parsed(names: Sequence[str]) -> list[Original]:
    return [one for name in names if (one := Original.parse(name)) is not None]
