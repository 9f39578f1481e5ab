"""Readers of the input formats: a stream of bytes to records, in constant memory."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import IO, Any

import pyarrow as pa
from pyarrow import parquet

from services.common.wire.jobs import InputFormat
from services.indexer.intake.record import (
    EXCERPT_CHARS,
    BadInput,
    Record,
    bounded_lines,
    excerpt,
)

_NOT_UTF8 = "is not UTF-8; convert the file, for example with iconv"
_TOO_LONG = "is longer than 1 MiB"

Reader = Callable[[IO[bytes]], Iterator[Record]]


def jsonl(stream: IO[bytes]) -> Iterator[Record]:
    """One JSON object a line; blank lines are skipped."""
    for number, line, cut in bounded_lines(stream):
        if not line.strip():
            continue
        problem, values = "", None
        if cut:
            problem = _TOO_LONG
        else:
            try:
                values = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
            except UnicodeDecodeError:
                problem = _NOT_UTF8
            except (ValueError, RecursionError) as error:
                problem = f"is not JSON: {error}"
            else:
                if not isinstance(values, dict):
                    problem, values = "is not a JSON object", None
        yield Record(number, values, problem, excerpt(line))


def lines(stream: IO[bytes]) -> Iterator[Record]:
    """One text a line. Its id is a hash of the text, so that the same text is one document."""
    for number, line, cut in bounded_lines(stream):
        if not line.strip():
            continue
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError:
            yield Record(number, None, _TOO_LONG if cut else _NOT_UTF8, excerpt(line))
            continue
        if cut:
            yield Record(number, None, _TOO_LONG, excerpt(line))
            continue
        identity = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        yield Record(number, {"id": identity, "text": text}, excerpt=text[:EXCERPT_CHARS])


def delimited(stream: IO[bytes], delimiter: str) -> Iterator[Record]:
    """A header line, then a document a row. In TSV a quote is a character like any other."""
    too_long: set[int] = set()

    def decoded() -> Iterator[str]:
        for number, line, cut in bounded_lines(stream):
            if cut:
                too_long.add(number)
            yield ("" if cut else line.decode("utf-8", "surrogateescape")) + "\n"

    quoting: Any = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    reader = csv.reader(decoded(), delimiter=delimiter, quoting=quoting)
    header = _header(reader)
    while True:
        begun = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield Record(reader.line_num, None, f"cannot be read: {error}; is a quote left open?")
            continue
        if row is None:
            return
        cut_lines = too_long & set(range(begun, reader.line_num + 1))
        if not row and not cut_lines:
            continue
        shown = delimiter.join(row)[:EXCERPT_CHARS].encode("utf-8", "replace").decode()
        problem = ""
        if cut_lines:
            problem = _TOO_LONG
        elif any(_undecoded(cell) for cell in row):
            problem = _NOT_UTF8
        elif len(row) != len(header):
            problem = f"has {len(row)} cells where the header has {len(header)}"
        values = None if problem else _cells(header, row)
        yield Record(reader.line_num, values, problem, shown)


def table(stream: IO[bytes]) -> Iterator[Record]:
    """Apache Parquet, a document a row."""
    number = 0
    try:
        # Buffered, else a whole row group is in memory, and some files have only one.
        source = parquet.ParquetFile(stream, buffer_size=1 << 20)
        for batch in source.iter_batches(batch_size=256):
            for values in batch.to_pylist():
                number += 1
                plain = {name: _plain(value) for name, value in values.items()}
                yield Record(number, plain, excerpt=_shown(plain))
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            f"The Parquet file cannot be read after row {number}; write it again and check it."
        ) from error


READERS: dict[InputFormat, Reader] = {
    InputFormat.JSONL: jsonl,
    InputFormat.LINES: lines,
    InputFormat.CSV: lambda stream: delimited(stream, ","),
    InputFormat.TSV: lambda stream: delimited(stream, "\t"),
    InputFormat.PARQUET: table,
}


def _header(reader: Any) -> list[str]:
    try:
        header = [str(cell).strip() for cell in next(reader, [])]
    except csv.Error as error:
        raise BadInput(f"The header line cannot be read: {error}.") from error
    if not any(header):
        raise BadInput("The file has no header line; name the columns, at least `id` and `text`.")
    if len(set(header)) != len(header):
        raise BadInput("The header names a column twice; every column needs its own name.")
    return header


def _cells(header: list[str], row: list[str]) -> dict[str, Any]:
    return {name: cell for name, cell in zip(header, row, strict=True) if cell != ""}


def _undecoded(cell: str) -> bool:
    return any("\udc80" <= char <= "\udcff" for char in cell)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (datetime, date)) else value


def _shown(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, default=str)[:EXCERPT_CHARS]
