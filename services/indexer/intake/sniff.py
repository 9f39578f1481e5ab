"""Checks the first bytes of an input, so that an input that cannot be read is refused before its
job is accepted."""

from io import BytesIO
from typing import IO, NamedTuple

from services.common.errors import InvalidRequest, UnsupportedFormat
from services.common.fields.names import HALF
from services.common.wire.input_formats import Charset, InputFormat
from services.indexer.intake.about import About
from services.indexer.intake.charsets import (
    beginning_as_utf8,
    every_second_zero,
    likely_charset,
    marked,
)
from services.indexer.intake.compression import beginning, kind_of
from services.indexer.intake.delimited import header_of
from services.indexer.intake.files.workbook import columns as columns_of_workbook
from services.indexer.intake.foreign import check_magic, check_tagged
from services.indexer.intake.formats import json_object
from services.indexer.intake.header import check_columns, check_header, check_kinds, is_header
from services.indexer.intake.json_beginning import SAMPLED, check_array, check_jsonl
from services.indexer.intake.mapping import FieldMapping
from services.indexer.intake.record import BadInput
from services.indexer.intake.table import columns, float_kind, unfit

_HEADER_NOT_UTF8 = (
    "The header is not UTF-8; declare the `charset` of the input (gb18030, big5, utf-16) or convert"
    " it to UTF-8."
)
_DELIMITED = tuple(each for each in InputFormat if each.delimiter)


class Recognised(NamedTuple):
    """The charset and the mapping that were recognised at the beginning of an input."""

    charset: Charset | None
    """The declared charset, else the recognised one. None if the input is binary, is one document
    that declares its own, or showed nothing but UTF-8."""
    mapping: FieldMapping
    """The mapping that was given, completed by columns of usual names for what it does not name."""


def check_beginning(
    head: bytes,
    declared: InputFormat,
    mapping: FieldMapping,
    charset: Charset | None = None,
) -> Recognised:
    """The charset and the mapping of an input by its first bytes, plain or compressed.

    Raises UnsupportedFormat when the bytes cannot be the declared format, and InvalidRequest when
    the input is damaged or its header lacks a column that the mapping names.
    """
    try:
        plain = beginning(head)
    except BadInput as error:
        raise InvalidRequest(str(error)) from error
    check_magic(plain, declared)
    if declared.binary and kind_of(head) is not None:
        raise UnsupportedFormat(f"Send {declared} as it is: it is compressed inside.")
    if declared.binary or declared.whole:
        return Recognised(charset, mapping)
    text, charset = _text(plain, declared, charset)
    check_tagged(text, declared)
    if declared is InputFormat.JSONL:
        mapping = check_jsonl(text, mapping)
    elif declared is InputFormat.JSON:
        mapping = check_array(text, mapping)
    elif declared is InputFormat.LINES:
        _check_lines(text)
    elif declared.delimiter:
        mapping = _check_rows(text, declared, mapping)
    return Recognised(charset, mapping)


def check_columns_of(stream: IO[bytes], about: About) -> FieldMapping:
    """The mapping for a Parquet file or a workbook by its columns.

    Raises InvalidRequest, Unavailable.
    """
    if about.format is InputFormat.PARQUET:
        return check_table(stream, about.mapping)
    try:
        return check_columns(columns_of_workbook(stream, about.sandbox), about.mapping)
    except BadInput as error:
        raise InvalidRequest(str(error)) from error


def check_table(stream: IO[bytes], mapping: FieldMapping) -> FieldMapping:
    """The mapping for a Parquet file by its footer. Raises InvalidRequest, Unavailable."""
    try:
        kinds = columns(stream)
    except BadInput as error:
        raise InvalidRequest(str(error)) from error
    mapping = check_columns(list(kinds), mapping)
    if float_kind(kinds[mapping.id]):
        raise InvalidRequest(
            f"The column {mapping.id} holds decimal numbers, and an id is a text or an integer;"
            " write it as one of these (a column of integers with gaps becomes decimals in"
            ' pandas: use astype("Int64")).'
        )
    nested = "fields" in kinds and unfit(kinds["fields"]) == "holds objects"
    reasons = {
        name: reason
        for name, kind in kinds.items()
        if (reason := unfit(kind)) and not (nested and name == "fields")
    }
    check_kinds(reasons, mapping)
    return mapping


def _text(
    plain: bytes, declared: InputFormat, charset: Charset | None
) -> tuple[bytes, Charset | None]:
    """The beginning in UTF-8 and its charset. Raises UnsupportedFormat if it is binary or in
    another charset than the declared one."""
    if charset is None and marked(plain):
        charset = Charset.UTF16
    text = beginning_as_utf8(plain, charset or Charset.UTF8)
    if b"\x00" in text[:4096]:
        if charset is None and every_second_zero(text[:4096]):
            return beginning_as_utf8(plain, Charset.UTF16), Charset.UTF16
        raise UnsupportedFormat(
            f"The input is binary, but `format` or the name of the file says {declared}."
        )
    likely = likely_charset(text)
    if likely is Charset.UTF8:
        return text, charset
    if charset not in (None, Charset.UTF8):
        raise UnsupportedFormat(
            f"The input cannot be read as {charset}; declare the charset it is written in."
        )
    if likely is None:
        return text, charset  # A later step reports bytes of no known charset by line or by header.
    if charset is None:
        return beginning_as_utf8(plain, likely), likely
    sample = beginning_as_utf8(text, likely).decode("utf-8", "replace").splitlines()[0][:60]
    raise UnsupportedFormat(
        f"The input is not UTF-8, as it was declared; it seems to be {likely.upper()} ({sample})."
        f" Send it with charset={likely}."
    )


def _is_utf8(line: bytes) -> bool:
    return "\ufffd" not in line.decode("utf-8", "replace")


def _check_lines(text: bytes) -> None:
    """Raises UnsupportedFormat for JSON and for tables, since each of their lines would become a
    title."""
    lines = text.removeprefix(b"\xef\xbb\xbf").splitlines()[:SAMPLED]
    filled = [line for line in lines if line.strip()]
    if filled and (
        filled[0].strip() in (b"[", b"{")
        or filled[0].lstrip().startswith((b'{"', b'[{"'))
        or all(json_object(line)[0] is not None for line in filled)
    ):
        raise UnsupportedFormat(
            "The input is JSON, of which format=lines would make a document of each line. Declare"
            " format=jsonl if it is one object a line, or format=json if it is one array."
        )
    for table in _DELIMITED:
        if filled and is_header(filled[0].decode("utf-8", "replace").split(table.delimiter)):
            raise UnsupportedFormat(
                f"The input begins with the names of columns; declare format={table}."
            )


def _check_rows(text: bytes, declared: InputFormat, mapping: FieldMapping) -> FieldMapping:
    lines = text.removeprefix(b"\xef\xbb\xbf").splitlines()
    first = next((line for line in lines if line.strip()), b"")
    if not _is_utf8(first):
        raise UnsupportedFormat(_HEADER_NOT_UTF8)
    if first.lstrip().startswith(b"{"):
        raise UnsupportedFormat(
            f"The input begins with a JSON object; declare format=jsonl instead of {declared}."
        )
    delimiter = declared.delimiter
    if delimiter.encode() not in first:
        for other in _DELIMITED:
            if other.delimiter.encode() in first:
                raise UnsupportedFormat(
                    f"The header has no {declared} delimiter but one of {other}; declare"
                    f" format={other}."
                )
        if b";" in first:
            raise UnsupportedFormat(
                "The header is delimited by semicolons, as Excel writes it in some countries; save"
                " the file with commas or tabs."
            )
    try:
        header = header_of(BytesIO(text), delimiter)
    except BadInput as error:
        raise InvalidRequest(str(error)) from error
    if any(map(HALF.search, header)):  # It may begin behind the first line, or have several.
        raise UnsupportedFormat(_HEADER_NOT_UTF8)
    if mapping.id not in header or set(mapping.content()).isdisjoint(header):
        check_header(header, delimiter)
    return check_columns(header, mapping)
