"""The upload of a client as a stream with its format and its compression."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import Message
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from services.common.errors import InvalidRequest, MalformedRequest, UnsupportedFormat
from services.common.wire.input_formats import (
    SUFFIXES,
    Charset,
    Compression,
    InputFormat,
    format_of_name,
)
from services.common.wire.jobs import JobOptions
from services.gateway.indexing.bundles import blocks_of, zip_of

MAX_FILES = 1_000
"""Files that a form may hold."""

_QUOTED = re.compile(rb'"(?:\\.|[^"\\])*"')
_EXTENDED = re.compile(
    rb";\s*filename\*\s*=\s*(utf-8|gb18030|gbk|gb2312|iso-8859-1)'[^']*'([^;\s]+)", re.IGNORECASE
)
"""A file name with its charset and percent-encoded (RFC 8187). Forms should have none, but several
clients write names so that are not ASCII."""
_UNTYPED = frozenset({"", "application/octet-stream"})
_KNOWN = ", ".join(InputFormat)


class _Parser(MultiPartParser):
    """Reads forms of many files: only the beginning of each is in memory. A form without its end is
    refused, since the file that was cut would be missing without a word."""

    spool_max_size = 1 << 16
    _ended = False
    """Whether the last boundary of the form was read."""

    async def parse(self) -> FormData:
        """The parts of the form. Raises MultiPartException."""
        self.stream = self._whole(self.stream)
        return await super().parse()

    def on_headers_finished(self) -> None:
        """Makes a part with a name of the extended form, which the library ignores, a file."""
        part = self._current_part
        disposition = part.content_disposition
        if disposition is not None and _extended_name(disposition) is not None:
            part.content_disposition = disposition + b"; filename=extended"
        super().on_headers_finished()

    def on_end(self) -> None:
        """Notes the last boundary."""
        self._ended = True

    async def _whole(self, blocks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async for block in blocks:
            yield block
        if not self._ended:
            raise MultiPartException("It ends before its last boundary; send it again, whole.")


@dataclass(frozen=True, slots=True)
class Upload:
    """The input of a job on its way to the indexer."""

    content: AsyncIterator[bytes]
    format: InputFormat
    compression: Compression | None = None
    """Compression of the input, which is passed on as Content-Encoding."""
    name: str | None = None
    """Name of the file, as far as it is known."""


async def of_source(request: Request, address: str, stated: InputFormat | None) -> Upload:
    """An upload without a body: the indexer reads the input from an address, whose name may tell
    the format. Raises InvalidRequest if the request has a body all the same."""
    async for block in request.stream():
        if block:
            raise InvalidRequest(
                "source: the input is read from that address, so the body would not be read; send"
                " either a body or `source`."
            )
    kind = stated or format_of_name(address)[0] or InputFormat.JSONL
    return Upload(_nothing(), kind, name=address.rsplit("/", 1)[-1] or None)


def charset_of(content_type: str) -> Charset | None:
    """The charset that a text's Content-Type declares; None if it declares no known one."""
    message = Message()
    message["content-type"] = content_type
    declared = message.get_content_charset()
    if declared is None or message.get_content_maintype() != "text":
        return None
    try:
        return Charset(declared)
    except ValueError:
        return None


def of_raw(request: Request, kind: str, encoding: str, options: JobOptions) -> Upload:
    """The body of the request as the input. Raises UnsupportedFormat if its format is not known."""
    if encoding not in ("", "identity", *Compression):
        raise UnsupportedFormat(f"Content-Encoding may be {' or '.join(Compression)}.")
    named, _ = format_of_name(options.name or "")
    chosen = options.format or named or InputFormat.of_media_type(kind)
    if chosen is None and kind not in _UNTYPED:
        raise UnsupportedFormat(
            f"The content type {kind[:80]!r} does not tell the format; add ?format= ({_KNOWN})."
        )
    if chosen is None:
        raise UnsupportedFormat(
            f"Say the format of the body with ?format= ({_KNOWN}), or its name with ?name=."
        )
    compression = Compression(encoding) if encoding in tuple(Compression) else None
    return Upload(request.stream(), chosen, compression, options.name)


@asynccontextmanager
async def of_multipart(request: Request, stated: InputFormat | None) -> AsyncIterator[Upload]:
    """The files of a form as the input; they are spooled to disk, and several become a zip.

    Raises MalformedRequest, InvalidRequest, UnsupportedFormat.
    """
    parser = _Parser(request.headers, request.stream(), max_files=MAX_FILES, max_fields=8)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        hint = f" A form holds at most {MAX_FILES:,} files; send a zip of more."
        more = hint if "files" in error.message else ""
        raise MalformedRequest(f"The form cannot be read: {error.message}{more}") from error
    try:
        files = _files(form)
        if not files or len(files) < len(form.multi_items()):
            raise InvalidRequest(
                "The form must hold nothing but files, in parts named `file`; collection, mode and"
                " format are query parameters."
            )
        if len(files) == 1:
            yield _of_file(files[0], stated)
        elif stated in (None, InputFormat.ZIP):
            yield Upload(zip_of(files), InputFormat.ZIP)
        else:
            raise InvalidRequest(
                f"format={stated} is of one file, and the form holds {len(files):,}: their names"
                " tell their formats. Leave `format` out."
            )
    finally:
        await form.close()


def _files(form: FormData) -> list[UploadFile]:
    """The files of a form, each with its name."""
    files = [file for file in form.getlist("file") if isinstance(file, UploadFile)]
    for file in files:
        file.filename = _name(file)
    return files


def _name(file: UploadFile) -> str | None:
    """The name of a file in its extended form, or else in UTF-8 or GBK, in which programs of
    Chinese Windows write it."""
    disposition = file.headers.get("content-disposition", "")
    extended = _extended_name(disposition.encode("latin-1"))
    if extended is not None:
        return extended
    _, options = parse_options_header(disposition)
    for charset in ("utf-8", "gb18030"):
        try:
            return options[b"filename"].decode(charset)
        except UnicodeDecodeError:
            continue
    return file.filename


def _extended_name(disposition: bytes) -> str | None:
    """The name of a file that is given in the extended form; None if there is none that can be
    read."""
    found = _EXTENDED.search(_QUOTED.sub(b'""', disposition))
    if found is None:
        return None
    try:
        return unquote_to_bytes(found[2]).decode(found[1].decode("ascii"))
    except UnicodeDecodeError:
        return None


def _of_file(file: UploadFile, stated: InputFormat | None) -> Upload:
    """The only file of a form. Raises UnsupportedFormat."""
    named, compression = format_of_name(file.filename or "")
    chosen = stated or named or InputFormat.of_media_type(file.content_type or "")
    if chosen is None:
        raise UnsupportedFormat(
            f"The file's name does not tell its format; end it in {', '.join(SUFFIXES)} (also"
            f" with {' or '.join(each.suffix for each in Compression)}), or add ?format="
            f" ({_KNOWN})."
        )
    return Upload(blocks_of(file), chosen, compression, file.filename or None)


async def _nothing() -> AsyncIterator[bytes]:
    blocks: tuple[bytes, ...] = ()
    for block in blocks:
        yield block
