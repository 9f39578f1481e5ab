"""The input of a bulk job: a file, documents in a temporary file, or what the server reads."""

import asyncio
import hashlib
import json
import os
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from services.common.documents import Content
from services.common.validation import first_reason
from services.common.wire.input_formats import SUFFIXES, Compression, InputFormat, format_of_name
from services.common.wire.jobs import JobOptions
from xunwen.client.bundles import bundle, readable
from xunwen.client.documents import GivenDocument, checked_document
from xunwen.client.errors import XunwenError
from xunwen.client.files import blocks, is_folder, opened, path_of, spool, spooling

Input = str | Path | Iterable[str | Path] | Iterable[GivenDocument]
"""What a job may be given: the path of a file or a folder, several of them, or documents."""


@dataclass(slots=True)
class Upload:
    """An opened input, which is sent once it is packed; it can be rewound and sent again."""

    stream: BinaryIO
    size: int
    format: InputFormat | None
    compression: Compression | None = None
    name: str | None = None
    """Name of the file."""
    paths: Sequence[Path] = ()
    """Files and folders of which the stream is to become a zip; empty for any other input."""

    def pack(self) -> None:
        """Packs several files into the stream, if the input is such. Raises XunwenError."""
        if self.paths:
            bundle(self.stream, self.paths)
            with spooling():
                self.stream.flush()
            self.size = self.stream.tell()

    async def apack(self) -> None:
        """`pack` in a thread, since a large folder takes minutes."""
        await asyncio.to_thread(self.pack)

    def headers(self, idempotency_key: str | None) -> dict[str, str]:
        """Headers of the submission; without a key a new one makes repetitions harmless."""
        headers = {
            "content-type": "application/octet-stream",
            "content-length": str(self.size),
            "idempotency-key": idempotency_key or uuid.uuid4().hex,
        }
        if self.compression:
            headers["content-encoding"] = self.compression.value
        return headers

    def blocks(self) -> Iterator[bytes]:
        """The input from its beginning, however often it is asked. Raises XunwenError.

        Of a file that grows meanwhile, what it held at first is sent.
        """
        self.stream.seek(0)
        left = self.size
        for block in blocks(self.stream, self.name or "The input"):
            yield block[:left]
            left -= len(block)
            if left <= 0:
                return
        if left:
            raise XunwenError("The input became shorter while it was sent; send it again.")

    async def ablocks(self) -> AsyncIterator[bytes]:
        """The blocks of the body, each read in a thread."""
        blocks = self.blocks()
        while block := await asyncio.to_thread(next, blocks, b""):
            yield block


def job_options(
    upload: Upload, mapping: Mapping[str, Any] | None, options: Mapping[str, Any]
) -> JobOptions:
    """The query of a submission. Raises XunwenError for options that no job can have."""
    try:
        return JobOptions.model_validate(
            {
                **options,
                "format": upload.format,
                "name": options.get("name") or upload.name,
                "mapping": None if mapping is None else json.dumps(mapping, ensure_ascii=False),
            }
        )
    except ValidationError as error:
        raise XunwenError(f"This job is not possible: {first_reason(error)}.") from error


def format_of(path: Path) -> tuple[InputFormat, Compression | None]:
    """Format and compression by the file's name. Raises XunwenError when it tells no format."""
    named, compression = format_of_name(path.name)
    if named is None:
        raise XunwenError(
            f"{path.name} does not say its format: end the name in one of {' '.join(SUFFIXES)}"
            " (also .gz or .zst), or name the format."
        )
    return named, compression


@contextmanager
def open_upload(
    given: Input | None, format: InputFormat | str | None, source: str | None
) -> Iterator[Upload]:
    """Opens a file, or a temporary one: documents are written to it here, several files by `pack`.

    With `source` the server reads the input, and nothing is sent. Raises XunwenError when the file
    cannot be read, does not tell its format, or when not exactly one input is given.
    """
    if (given is None) == (source is None):
        raise XunwenError("Give a file or documents to send, or a `source` that the server reads.")
    named = _named(format)
    if given is None:
        yield Upload(BytesIO(), 0, named)
    elif isinstance(given, (str, Path)) and not is_folder(path_of(given)):
        path = Path(given)
        kind, compression = (named, format_of_name(path.name)[1]) if named else format_of(path)
        with opened(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            yield Upload(stream, size, kind, compression, readable(path.name))
    else:
        items = iter([given]) if isinstance(given, (str, Path)) else _each(given)
        first = next(items, None)
        with spool() as gathered:
            if isinstance(first, (str, Path)):
                if named not in (None, InputFormat.ZIP):
                    raise XunwenError(f"Several files are sent as a zip, and not as {named}.")
                paths = [path_of(first), *(path_of(str(item)) for item in items)]
                yield Upload(gathered, 0, InputFormat.ZIP, paths=paths)
                return
            documents = chain([] if first is None else [first], items)
            for number, item in enumerate(documents, start=1):
                line = _line(number, item)
                with spooling():
                    gathered.write(line)
            with spooling():
                gathered.flush()
            yield Upload(gathered, gathered.tell(), InputFormat.JSONL)


def _each(given: Iterable[Any]) -> Iterator[Any]:
    """The files or documents one by one. Raises XunwenError for what is no list of them."""
    if isinstance(given, Content | Mapping):
        raise XunwenError("The input is a single document; `put` writes a single one.")
    if not isinstance(given, Iterable) or isinstance(given, bytes):
        raise XunwenError(
            f"An input of the type {type(given).__name__!r} cannot be indexed; give the path of a"
            " file, a list of paths, or a list of documents."
        )
    return iter(given)


def _named(format: InputFormat | str | None) -> InputFormat | None:
    try:
        return InputFormat(format) if format else None
    except ValueError:
        known = ", ".join(InputFormat)
        raise XunwenError(f"There is no format {format!r}; possible are {known}.") from None


def _line(number: int, item: Any) -> bytes:
    document = checked_document(item, f"Document {number}")
    return document.model_dump_json().encode() + b"\n"


def content_key(paths: Iterable[Path]) -> str:
    """An idempotency key that stays the same as long as the files' bytes do. Raises XunwenError."""
    digest = hashlib.sha256()
    for path in paths:
        with opened(path) as stream:
            for block in blocks(stream, path):
                digest.update(block)
    return digest.hexdigest()[:32]
