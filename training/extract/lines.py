"""The input of an extraction: one document a line, with the place where each line begins."""

import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from services.common.documents import Document

MAX_LINE_BYTES = 1 << 20
"""A longer line is no document that fits; it is rejected without being held in memory."""


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    """1-based."""
    content: bytes
    too_long: bool


class Rejected(Exception):
    """The line is no document; the message says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """An opened input."""

    stream: IO[bytes]
    """The plain bytes; seekable, slowly where they are gzipped."""
    raw: IO[bytes]
    """The file itself; where it stands tells how much is done."""


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Opens a file, also one whose name ends in .gz."""
    with path.open("rb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as plain:
                yield Source(io.BufferedReader(plain), raw)
        else:
            yield Source(raw, raw)


def read_lines(stream: IO[bytes], first: int, limit: int) -> list[Line]:
    """Up to `limit` lines from where the stream stands; `first` is the number of the next one."""
    lines: list[Line] = []
    while len(lines) < limit and (content := stream.readline(MAX_LINE_BYTES)):
        too_long = len(content) == MAX_LINE_BYTES and not content.endswith(b"\n")
        rest = content
        while too_long and rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES)
        number = first + len(lines)
        if number == 1:
            content = content.removeprefix(b"\xef\xbb\xbf")
        lines.append(Line(number, content.rstrip(b"\r\n"), too_long))
    return lines


def document_of(line: Line, *, json_lines: bool) -> Document:
    """The document of a line, which is JSON or a plain text. Raises Rejected.

    A plain text's id is a hash of it, as in the indexer, so that both name it alike.
    """
    if line.too_long:
        raise Rejected("is longer than 1 MiB")
    try:
        text = line.content.decode("utf-8").strip()
        if json_lines:
            return Document.model_validate(_known(json.loads(text)))
        digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        return Document(id=digest, text=text)
    except UnicodeDecodeError:
        raise Rejected("is not UTF-8") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise Rejected(f"{where}: {first['msg']}" if where else first["msg"]) from None
    except (ValueError, RecursionError) as error:
        raise Rejected(f"is not JSON: {error}") from None


def _known(row: object) -> dict[str, object]:
    """Keys that are not a document's own are its metadata, as in a bulk job."""
    if not isinstance(row, dict):
        raise Rejected("is not a JSON object")
    own = {key: row[key] for key in ("id", "title", "text") if row.get(key) is not None}
    nested = row.get("fields") if isinstance(row.get("fields"), dict) else {}
    others = {
        key: value
        for key, value in row.items()
        if key not in ("id", "title", "text", "fields") and value is not None
    }
    return {**own, "fields": {**others, **(nested or {})}}
