"""Bulk-index jobs: the options of a caller, the input formats and the report.

The gateway, the indexer, the Python client, the command line and the web page all read the formats
and the options from here.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import PurePath
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from services.common.collection import NAME_PATTERN


class JobState(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    SUCCEEDED_WITH_ERRORS = "succeeded_with_errors"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether the job has ended."""
        return self not in (JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING)


class JobMode(StrEnum):
    """The purpose of a job: `upsert` adds and replaces documents, `rebuild` replaces the whole
    collection."""

    UPSERT = "upsert"
    REBUILD = "rebuild"


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


_OFFICE = "application/vnd.openxmlformats-officedocument"
_NDJSON = ("application/x-ndjson", "application/jsonl", "application/jsonlines")
_TRAITS = {
    InputFormat.JSONL: _Traits((".jsonl", ".ndjson"), _NDJSON),
    InputFormat.CSV: _Traits((".csv",), ("text/csv",), typed=False),
    InputFormat.TSV: _Traits((".tsv",), ("text/tab-separated-values",), typed=False),
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


class JobOptions(BaseModel):
    """The query parameters of a job, as the gateway takes them and hands them to the indexer."""

    model_config = ConfigDict(frozen=True)

    collection: str = Field(
        pattern=NAME_PATTERN,
        description="Collection of the documents; it is made if it does not exist",
    )
    mode: JobMode = JobMode.UPSERT
    format: InputFormat | None = Field(
        default=None,
        description="Format of the input; needed if no content type or file name tells it",
    )
    mapping: str | None = Field(
        default=None,
        max_length=2_000,
        description="The columns as JSON: `id`, `title`, `text`, the list `fields` and `vector`",
        examples=['{"id": "no", "title": "name", "text": "body"}'],
    )
    name: str | None = Field(
        default=None,
        max_length=512,
        description="Name of the file: the id of a document that is a whole file, and what tells"
        " the format where `format` does not",
    )
    charset: Charset | None = Field(
        default=None,
        description="Charset of an input that is not UTF-8: gb18030 (also gbk), big5 or utf-16",
    )
    max_errors: int | None = Field(
        default=None, ge=0, description="The job stops with more rejected documents than this"
    )
    encoder: str | None = Field(
        default=None,
        max_length=64,
        description="Fingerprint of the encoder that made the vectors, when `mapping` names a"
        " column of ready-made ones or `vectors` a matrix; without vectors, of the encoder that a"
        " new collection or a rebuild gets",
    )
    force: bool = Field(
        default=False,
        description="A rebuild switches although the new index answers golden queries worse",
    )
    source: str | None = Field(
        default=None,
        max_length=2_000,
        description="Path or s3:// address of the input, instead of a body, under a root that the"
        " operator allowed",
    )
    vectors: str | None = Field(
        default=None,
        max_length=2_000,
        description="Address of a .npy matrix with a row for each document of `source`",
    )

    def params(self) -> dict[str, str]:
        """The options that are set, as query parameters. A switch that is off is left out."""
        return {
            name: str(value)
            for name, value in self.model_dump(mode="json", exclude_none=True).items()
            if value is not False
        }


class JobCounts(BaseModel):
    """Exact numbers of lines. After success, read = indexed + rejected + deduplicated."""

    read: int = 0
    indexed: int = 0
    rejected: int = 0
    deduplicated: int = Field(default=0, description="Lines whose id came again later in the input")


class Job(BaseModel):
    """The report of a job."""

    id: str
    collection: str
    mode: JobMode
    format: InputFormat
    name: str = Field(default="", description="Name of the file, if it is known")
    charset: Charset | None = Field(
        default=None,
        description="Declared or recognised charset; null for UTF-8 or if each file has its own",
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Columns that were taken for `id`, `title` and `text`, where they have other"
        " names",
    )
    state: JobState
    counts: JobCounts
    total: int | None = Field(
        default=None, description="Number of documents in the input, once it is known"
    )
    rate: float | None = Field(default=None, description="Documents per second while the job runs")
    eta_seconds: float | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    message: str = Field(
        default="",
        description="Reason of a failure, cause of waiting, or reasons why lines were rejected",
    )


class JobAccepted(BaseModel):
    """The answer to a submission."""

    job_id: str
    state: JobState


class JobPage(BaseModel):
    """A page of jobs."""

    jobs: list[Job] = Field(description="Newest first")
    next: str | None = Field(
        default=None, description="Value of `after` for the next page; null on the last one"
    )
