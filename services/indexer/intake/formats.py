"""Readers of the input formats, which make records of a stream of bytes in constant memory."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any

from services.common.documents import text_id
from services.common.wire.input_formats import InputFormat
from services.indexer.intake.about import About
from services.indexer.intake.citations import bibtex
from services.indexer.intake.citations.dialects import DIALECTS
from services.indexer.intake.citations.tagged import Dialect, tagged
from services.indexer.intake.delimited import delimited
from services.indexer.intake.files import workbook
from services.indexer.intake.files.whole import whole
from services.indexer.intake.json_array import array, integer
from services.indexer.intake.record import (
    EXCERPT_CHARS,
    NOT_UTF8,
    TOO_LONG,
    Record,
    bounded_lines,
    excerpt,
)
from services.indexer.intake.table import table

Reader = Callable[[IO[bytes], About], Iterator[Record]]


def jsonl(stream: IO[bytes], _: About) -> Iterator[Record]:
    """A record for each line with a JSON object; blank lines are skipped."""
    for number, line, cut in bounded_lines(stream):
        if not line.strip():
            continue
        problem, values = "", None
        if cut:
            problem = TOO_LONG
        else:
            values, problem = json_object(line)
        yield Record(number, values, problem, excerpt(line))


def json_object(line: bytes) -> tuple[dict[str, Any] | None, str]:
    """The object of a line of JSON, or None and the reason why the line holds none."""
    try:
        text = line.decode("utf-8")
        values = json.loads(text, parse_constant=_no_constant, parse_int=integer)
    except UnicodeDecodeError:
        return None, NOT_UTF8
    except RecursionError:
        return None, "is not JSON: it is nested too deeply"
    except ValueError as error:
        return None, f"is not JSON: {error}"
    return (values, "") if isinstance(values, dict) else (None, "is not a JSON object")


def lines(stream: IO[bytes], _: About) -> Iterator[Record]:
    """A record for each line of text. Its id is a hash of the text, so that equal texts are one
    document."""
    for number, line, cut in bounded_lines(stream):
        if not line.strip():
            continue
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError:
            yield Record(number, None, TOO_LONG if cut else NOT_UTF8, excerpt(line))
            continue
        if cut:
            yield Record(number, None, TOO_LONG, excerpt(line))
            continue
        yield Record(number, {"id": text_id(text), "text": text}, excerpt=text[:EXCERPT_CHARS])


def _delimited(delimiter: str, stream: IO[bytes], about: About) -> Iterator[Record]:
    return delimited(stream, delimiter, about.mapping.id)


def _tagged(dialect: Dialect, stream: IO[bytes], _: About) -> Iterator[Record]:
    return tagged(stream, dialect)


READERS: dict[InputFormat, Reader] = {
    InputFormat.JSONL: jsonl,
    InputFormat.LINES: lines,
    InputFormat.PARQUET: lambda stream, about: table(
        stream, about.mapping.vector, about.mapping.taken()
    ),
    InputFormat.XLSX: workbook.rows,
    InputFormat.XLS: workbook.rows,
    InputFormat.JSON: lambda stream, _: array(stream),
    InputFormat.BIBTEX: lambda stream, _: bibtex.entries(stream),
    **{each: partial(_tagged, dialect) for each, dialect in DIALECTS.items()},
    **{each: partial(_delimited, each.delimiter) for each in InputFormat if each.delimiter},
    **{each: whole for each in InputFormat if each.whole},
}
"""A reader for each format but `zip`, whose files have readers of their own."""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")
