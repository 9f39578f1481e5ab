"""The documents of a file, read as `xunwen index` reads it, with the same formats, compressions and
columns."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from services.common.documents import Document
from services.common.errors import SearchError
from services.common.wire.input_formats import SUFFIXES, Charset, InputFormat, format_of_name
from services.indexer.intake.about import About
from services.indexer.intake.cells import Cells
from services.indexer.intake.charsets import beginning_as_utf8
from services.indexer.intake.compression import beginning
from services.indexer.intake.files.sandbox import Sandbox
from services.indexer.intake.header import is_header
from services.indexer.intake.mapping import DocumentMapper, FieldMapping, Rejected
from services.indexer.intake.record import BadInput, Record, bounded_lines
from services.indexer.intake.sniff import check_beginning
from services.indexer.intake.sources import SEEKING, Source, check_stored
from training.data.readers import LineReport
from training.failures import DataInvalid

__all__ = ["DocumentFile", "Rejected"]

_HEAD_BYTES = 1 << 20
_LOOKED_AT = 20
"""Number of lines by which tables are distinguished from texts with delimiters in them."""


class DocumentFile:
    """A file of documents, which can be read repeatedly from its beginning."""

    def __init__(
        self,
        path: Path,
        *,
        format: InputFormat | None = None,  # noqa: A002 - as the API names it
        mapping: FieldMapping | None = None,
        charset: Charset | None = None,
    ) -> None:
        """Raises DataInvalid or SearchError if the beginning of the file shows that it cannot be
        read."""
        self.path = path
        self.mapping = mapping or FieldMapping()
        self.charset = charset
        self._raw: IO[bytes] | None = None
        self._mapper: DocumentMapper | None = None
        try:
            self.size = path.stat().st_size
            with path.open("rb") as stream:
                head = stream.read(_HEAD_BYTES)
                self.format = format or self._named(head, mapping is None)
                if head:
                    recognised = check_beginning(head, self.format, self.mapping, charset)
                    self.charset, self.mapping = recognised
            if self.format in SEEKING:
                with self._opened() as source:
                    self.mapping = check_stored(source.open, source.about)
        except OSError as error:
            raise DataInvalid(f"{path} cannot be read: {error.strerror}") from error

    @property
    def done(self) -> float:
        """Share of the file's bytes that have been read, 0 to 1."""
        if self._raw is None or self._raw.closed or not self.size:
            return 1.0
        return min(1.0, self._raw.tell() / self.size)

    @contextmanager
    def records(self) -> Iterator[Iterator[Record]]:
        """The records from the beginning. Raises DataInvalid, also while they are read."""
        if not self.size:
            yield iter(())
            return
        with self._opened() as source:
            if self._mapper is None:
                self._mapper = source.mapper(lambda: None)
            with source.records() as records:
                yield records

    @property
    def row_of(self) -> str:
        """What each row of a matrix of this file belongs to."""
        return "line, also a blank one" if self._by_line else "document"

    def rows(self) -> int:
        """The number of rows of a matrix of this file. Raises DataInvalid."""
        if not self.size:
            return 0
        with self._opened() as source:
            if self._by_line:
                with source.content() as stream:
                    return sum(1 for _ in bounded_lines(stream))
            with source.records() as records:
                return sum(1 for _ in records)

    def row(self, record: Record, number: int) -> int:
        """The row of a matrix of this file that belongs to a record, which has this number among
        the records, from 0."""
        return record.line - 1 if self._by_line else number

    def document(self, record: Record) -> Document:
        """The document of a record of this file. Raises Rejected."""
        if record.values is None or self._mapper is None:
            raise Rejected(record.problem)
        return self._mapper.document(record.values)

    def documents(self) -> Iterator[Document]:
        """All records that are documents; the log counts and names the others. Raises
        DataInvalid, also if there is no document."""
        report = LineReport(self.path)
        with self.records() as records:
            for record in records:
                try:
                    document = self.document(record)
                except Rejected as reason:
                    report.refuse(record.line, str(reason))
                else:
                    report.read += 1
                    yield document
        report.say()

    @property
    def _by_line(self) -> bool:
        """Whether blank lines have a row, as in a matrix that `xunwen predict vectors` wrote."""
        return self.format is InputFormat.LINES

    @contextmanager
    def _opened(self) -> Iterator[Source]:
        """The file, ready to be read. Raises DataInvalid, also for what is raised in the block."""
        try:
            with Sandbox() as sandbox:
                about = About(self.format, self.mapping, sandbox, self.path.name, self.charset)
                yield Source(about, self._open)
        except BadInput as error:
            raise DataInvalid(f"{self.path}: {error}") from error

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        with self.path.open("rb") as self._raw:
            yield self._raw

    def _named(self, head: bytes, unmapped: bool) -> InputFormat:
        """The format that the name of the file shows. A table without the columns of one is read as
        texts."""
        named, _ = format_of_name(self.path.name)
        if named is None or named is InputFormat.ZIP:
            raise DataInvalid(
                f"{self.path.name} does not say its format: end the name in one of"
                f" {' '.join(SUFFIXES)} (also .gz or .zst), or name it by --format"
            )
        if named.delimiter and unmapped and _is_texts(head, named, self.charset):
            return InputFormat.LINES
        return named


def _is_texts(head: bytes, named: InputFormat, charset: Charset | None) -> bool:
    """Whether a file that is named as a table holds a text on each line, as PaddleNLP's corpora do.

    Such a file has one column, or rows of different numbers of cells, and no column with the name
    of a document's member. A cell in quotes may hold line breaks.
    """
    try:
        text = beginning_as_utf8(beginning(head), charset or Charset.UTF8).decode(
            "utf-8-sig", "replace"
        )
    except (BadInput, SearchError):
        return False  # The reader of the file reports what is wrong.
    lines = [line.rstrip("\r") for line in text.split("\n")[:_LOOKED_AT] if line.strip()]
    rows = _rows(lines, named.delimiter)
    header = [cell.strip() for cell in rows[0]] if rows else []
    if not lines or is_header(header) or not {"id", "title", "text"}.isdisjoint(header):
        return False
    return len(set(map(len, rows))) > 1 or all(len(row) == 1 for row in rows)


def _rows(lines: Iterable[str], delimiter: str) -> list[list[str]]:
    """The cells of each row, without a last one that goes on behind the lines."""
    rows = []
    cells = Cells(delimiter)
    for line in lines:
        if cells.feed(line):
            rows.append(cells.done)
            cells = Cells(delimiter)
    return rows
