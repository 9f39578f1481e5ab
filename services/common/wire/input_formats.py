"""The formats, compressions and charsets of a job's input, with all their names.

The gateway, the indexer, the Python client, the command line, training and the web page read them
from here.
"""

from enum import StrEnum
from pathlib import PurePath
from typing import NamedTuple


class InputFormat(StrEnum):
    """A format of a job's input, with all its names."""

    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"
    XLSX = "xlsx"
    XLS = "xls"
    JSON = "json"
    LINES = "lines"
    RIS = "ris"
    BIBTEX = "bibtex"
    ENDNOTE = "endnote"
    NOTEEXPRESS = "noteexpress"
    CNKI = "cnki"
    NBIB = "nbib"
    PDF = "pdf"
    DOCX = "docx"
    HTML = "html"
    MARKDOWN = "markdown"
    TEXT = "text"
    ZIP = "zip"

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Endings of file names in this format, with their dot, in lower case."""
        return _TRAITS[self].suffixes

    @property
    def media_types(self) -> tuple[str, ...]:
        """Content types that stand for this format only; the first one is registered."""
        return _TRAITS[self].media_types

    @property
    def typed(self) -> bool:
        """Whether values of this format are numbers and texts by themselves. In other formats every
        value is a text, from which numbers are read."""
        return _TRAITS[self].typed

    @property
    def delimiter(self) -> str:
        """The sign between the cells of a row; empty if the format is no text of such rows."""
        return _TRAITS[self].delimiter

    @property
    def whole(self) -> bool:
        """Whether a file of this format is one document."""
        return _TRAITS[self].whole

    @property
    def binary(self) -> bool:
        """Whether the format is not text, so that it has neither a charset nor lines."""
        return _TRAITS[self].binary

    @classmethod
    def of_media_type(cls, media_type: str) -> "InputFormat | None":
        """The format that a Content-Type without its parameters stands for."""
        lowered = media_type.strip().lower()
        return next((each for each in cls if lowered in each.media_types), None)


class _Traits(NamedTuple):
    suffixes: tuple[str, ...]
    media_types: tuple[str, ...]
    typed: bool = True
    whole: bool = False
    binary: bool = False
    delimiter: str = ""


_OFFICE = "application/vnd.openxmlformats-officedocument"
_NDJSON = ("application/x-ndjson", "application/jsonl", "application/jsonlines")
_TRAITS = {
    InputFormat.JSONL: _Traits((".jsonl", ".ndjson"), _NDJSON),
    InputFormat.CSV: _Traits((".csv",), ("text/csv",), typed=False, delimiter=","),
    InputFormat.TSV: _Traits(
        (".tsv",), ("text/tab-separated-values",), typed=False, delimiter="\t"
    ),
    InputFormat.PARQUET: _Traits((".parquet",), ("application/vnd.apache.parquet",), binary=True),
    InputFormat.XLSX: _Traits(
        (".xlsx", ".xlsm"), (f"{_OFFICE}.spreadsheetml.sheet",), False, binary=True
    ),
    InputFormat.XLS: _Traits((".xls",), ("application/vnd.ms-excel",), False, binary=True),
    InputFormat.JSON: _Traits((".json",), ()),
    InputFormat.LINES: _Traits((".txt",), ("text/plain",)),
    InputFormat.RIS: _Traits((".ris",), ("application/x-research-info-systems",)),
    InputFormat.BIBTEX: _Traits((".bib",), ("application/x-bibtex", "text/x-bibtex")),
    InputFormat.ENDNOTE: _Traits((".enw",), ("application/x-endnote-refer",)),
    InputFormat.NOTEEXPRESS: _Traits((".net",), ("application/x-noteexpress",)),
    InputFormat.CNKI: _Traits((".eln",), ("application/x-cnki",)),
    InputFormat.NBIB: _Traits((".nbib",), ("application/nbib",)),
    InputFormat.PDF: _Traits((".pdf",), ("application/pdf",), whole=True, binary=True),
    InputFormat.DOCX: _Traits(
        (".docx",), (f"{_OFFICE}.wordprocessingml.document",), whole=True, binary=True
    ),
    InputFormat.HTML: _Traits(
        (".html", ".htm", ".xhtml"), ("text/html", "application/xhtml+xml"), whole=True
    ),
    InputFormat.MARKDOWN: _Traits((".md", ".markdown"), ("text/markdown",), whole=True),
    InputFormat.TEXT: _Traits((), (), whole=True),
    InputFormat.ZIP: _Traits(
        (".zip",), ("application/zip", "application/x-zip-compressed"), binary=True
    ),
}


class Compression(StrEnum):
    """A compression of an input, with its Content-Encoding and the ending of a file's name."""

    GZIP = "gzip"
    ZSTD = "zstd"

    @property
    def suffix(self) -> str:
        """The ending of the name of a compressed file, which follows that of the format."""
        return {Compression.GZIP: ".gz", Compression.ZSTD: ".zst"}[self]


class Charset(StrEnum):
    """A charset of an input's text; its common names are understood."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    GB18030 = "gb18030"
    BIG5 = "big5"

    @classmethod
    def _missing_(cls, value: object) -> "Charset | None":
        name = str(value).strip().lower().replace("_", "-")
        return _CHARSET_NAMES.get(name) or next((each for each in cls if each == name), None)


_CHARSET_NAMES = {
    "utf8": Charset.UTF8,
    "utf-8-sig": Charset.UTF8,
    "us-ascii": Charset.UTF8,
    "ascii": Charset.UTF8,
    "utf16": Charset.UTF16,
    "utf-16le": Charset.UTF16,
    "gbk": Charset.GB18030,
    "gb2312": Charset.GB18030,
    "cp936": Charset.GB18030,
    "big5-hkscs": Charset.BIG5,
    "cp950": Charset.BIG5,
}


SUFFIXES = tuple(suffix for each in InputFormat for suffix in each.suffixes)
"""Endings of file names that show the format."""


def format_of_name(name: str) -> tuple[InputFormat | None, Compression | None]:
    """The format and the compression that the name of a file shows, as `notes.csv.gz` does."""
    suffixes = [suffix.lower() for suffix in PurePath(name).suffixes]
    compression = next((each for each in Compression if suffixes[-1:] == [each.suffix]), None)
    if compression:
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    return next((each for each in InputFormat if last in each.suffixes), None), compression
