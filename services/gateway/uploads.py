"""What a client uploads, whichever way it came: a stream with its format and compression."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePath

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from services.common.errors import InvalidRequest, MalformedRequest, UnsupportedFormat
from services.common.wire.jobs import InputFormat

BLOCK_BYTES = 1 << 20

_BY_TYPE = {
    "application/x-ndjson": InputFormat.JSONL,
    "application/jsonl": InputFormat.JSONL,
    "application/jsonlines": InputFormat.JSONL,
    "text/csv": InputFormat.CSV,
    "text/tab-separated-values": InputFormat.TSV,
    "text/plain": InputFormat.LINES,
    "application/vnd.apache.parquet": InputFormat.PARQUET,
}
_BY_SUFFIX = {
    ".jsonl": InputFormat.JSONL,
    ".ndjson": InputFormat.JSONL,
    ".csv": InputFormat.CSV,
    ".tsv": InputFormat.TSV,
    ".txt": InputFormat.LINES,
    ".parquet": InputFormat.PARQUET,
}
_COMPRESSED = {".gz": "gzip", ".zst": "zstd"}
_ENCODINGS = frozenset({"gzip", "zstd"})
_UNTYPED = frozenset({"", "application/octet-stream"})
_KNOWN = ", ".join(InputFormat)


@dataclass(frozen=True, slots=True)
class Upload:
    content: AsyncIterator[bytes]
    format: InputFormat
    encoding: str | None
    """Compression of the content, passed on as Content-Encoding."""


def of_raw(request: Request, kind: str, encoding: str, stated: InputFormat | None) -> Upload:
    """The body itself. Raises UnsupportedFormat when nothing tells what it is."""
    if encoding and encoding not in _ENCODINGS:
        raise UnsupportedFormat(f"Content-Encoding may be {' or '.join(sorted(_ENCODINGS))}.")
    if kind not in _BY_TYPE and kind not in _UNTYPED and stated is None:
        raise UnsupportedFormat(
            f"The content type {kind[:80]!r} does not tell the format; add ?format= ({_KNOWN})."
        )
    chosen = stated or _BY_TYPE.get(kind)
    if chosen is None:
        raise UnsupportedFormat(f"Say the format of the body with ?format= ({_KNOWN}).")
    return Upload(request.stream(), chosen, encoding or None)


@asynccontextmanager
async def of_multipart(request: Request, stated: InputFormat | None) -> AsyncIterator[Upload]:
    """The part `file` of a form, spooled to disk since parts may come in any order."""
    try:
        form = await request.form(max_files=1, max_fields=8)
    except MultiPartException as error:
        raise MalformedRequest(f"The form cannot be read: {error.message}") from error
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile) or len(form) > 1:
            raise InvalidRequest(
                "The form must hold exactly one part, the file, named `file`; collection, mode and"
                " format are query parameters."
            )
        named, encoding = _by_name(file.filename or "")
        chosen = stated or named or _BY_TYPE.get(file.content_type or "")
        if chosen is None:
            raise UnsupportedFormat(
                f"The file's name does not tell its format; end it in .jsonl, .csv, .tsv, .txt or"
                f" .parquet (also with .gz), or add ?format= ({_KNOWN})."
            )
        yield Upload(_blocks(file), chosen, encoding)
    finally:
        await form.close()


def _by_name(name: str) -> tuple[InputFormat | None, str | None]:
    suffixes = [suffix.lower() for suffix in PurePath(name).suffixes]
    encoding = _COMPRESSED.get(suffixes[-1]) if suffixes else None
    if encoding:
        suffixes.pop()
    return (_BY_SUFFIX.get(suffixes[-1]) if suffixes else None), encoding


async def _blocks(file: UploadFile) -> AsyncIterator[bytes]:
    while block := await file.read(BLOCK_BYTES):
        yield block
