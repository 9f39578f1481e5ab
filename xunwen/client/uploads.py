"""The input of a bulk job: a file as it is, or documents spooled to a temporary file."""

import hashlib
import json
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from services.common.documents import Document
from services.common.wire.jobs import InputFormat, JobMode
from xunwen.client.errors import XunwenError

Source = str | Path | Iterable[Document | Mapping[str, Any]]

BLOCK_BYTES = 1 << 20

_FORMATS = {
    ".jsonl": InputFormat.JSONL,
    ".ndjson": InputFormat.JSONL,
    ".csv": InputFormat.CSV,
    ".tsv": InputFormat.TSV,
    ".parquet": InputFormat.PARQUET,
    ".txt": InputFormat.LINES,
}
_ENCODINGS = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True, slots=True)
class Upload:
    """An opened input, ready to be sent; it can be rewound and sent again."""

    stream: BinaryIO
    size: int
    format: InputFormat
    encoding: str | None
    """Content-Encoding of the file's bytes, or None when they are plain."""

    def headers(self, idempotency_key: str | None) -> dict[str, str]:
        headers = {
            "content-type": "application/octet-stream",
            "content-length": str(self.size),
            "idempotency-key": idempotency_key or uuid.uuid4().hex,
        }
        if self.encoding:
            headers["content-encoding"] = self.encoding
        return headers

    def params(
        self,
        collection: str,
        mode: JobMode,
        mapping: Mapping[str, Any] | None,
        max_errors: int | None,
        encoder: str | None,
    ) -> dict[str, str]:
        params = {"collection": collection, "mode": mode.value, "format": self.format.value}
        if mapping is not None:
            params["mapping"] = json.dumps(mapping, ensure_ascii=False)
        if max_errors is not None:
            params["max_errors"] = str(max_errors)
        if encoder is not None:
            params["encoder"] = encoder
        return params

    def blocks(self) -> Iterator[bytes]:
        """From the beginning, however often it is asked."""
        self.stream.seek(0)
        while block := self.stream.read(BLOCK_BYTES):
            yield block


def format_of(path: Path) -> tuple[InputFormat, str | None]:
    """Format and content encoding by the file's name. Raises XunwenError when it says neither."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    encoding = _ENCODINGS.get(suffixes[-1]) if suffixes else None
    if encoding:
        suffixes.pop()
    if not suffixes or suffixes[-1] not in _FORMATS:
        known = " ".join(_FORMATS)
        raise XunwenError(
            f"{path.name} does not say its format: end the name in one of {known} (also .gz),"
            " or name the format."
        )
    return _FORMATS[suffixes[-1]], encoding


@contextmanager
def open_upload(source: Source, format: InputFormat | str | None) -> Iterator[Upload]:
    """Opens a file, or writes documents to a temporary one in constant memory.

    Raises XunwenError when the file cannot be read or does not tell its format.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
        named = InputFormat(format) if format else None
        encoding = _ENCODINGS.get(path.suffix.lower())
        if named is None:
            named, encoding = format_of(path)
        try:
            with path.open("rb") as stream:
                yield Upload(stream, path.stat().st_size, named, encoding)
        except OSError as error:
            raise XunwenError(f"{path} cannot be read: {error.strerror}.") from error
        return
    with tempfile.TemporaryFile() as spool:
        for item in source:
            document = item if isinstance(item, Document) else Document.model_validate(item)
            spool.write(document.model_dump_json().encode() + b"\n")
        spool.flush()
        yield Upload(spool, spool.tell(), InputFormat.JSONL, None)


def content_key(paths: Iterable[Path], *salt: str) -> str:
    """An idempotency key that stays the same as long as the files' bytes do."""
    digest = hashlib.sha256("\0".join(salt).encode())
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()[:32]
