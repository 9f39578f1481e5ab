"""The records that the readers of formats yield, and the error that they raise."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

MAX_LINE_BYTES = 16 << 20
"""Most bytes of a line. A longer one cannot be a document that fits; the rest of it is skipped
unread."""
EXCERPT_CHARS = 1_000
NOT_UTF8 = (
    "is not UTF-8, nor in the charset that was declared or recognised; convert the file, for"
    " example with iconv, or declare its `charset`"
)
TOO_LONG = "is longer than 16 MiB"
_BLOCK_BYTES = 1 << 16
_SHOWN = 20
"""Most columns that a message names."""
_BOM = b"\xef\xbb\xbf"


class BadInput(Exception):
    """The input as a whole cannot be read. The message tells the user what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line, or one row of a table, before validation."""

    line: int
    """Number of the line on which it ends, from 1, or of the row of a table."""
    values: dict[str, Any] | None
    """Values by column; None if the line itself cannot be read."""
    problem: str = ""
    excerpt: str = ""
    """Beginning of the line, which the user sees among the errors."""
    file: Path | None = None
    """Temporary copy of the file that the record was made of, which is there until the next record
    is asked for; None if the record is one of several in a file."""
    beside_rows: bool = False
    """Whether this is a problem of a whole table, told beside its rows; a matrix of ready-made
    vectors has none for it."""


def bounded_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Line number, content without its end, and whether it was cut at MAX_LINE_BYTES.

    A line ends with a line feed, a carriage return, or both: files are mixed of all three. A byte
    order mark is no content at the beginning of any line, since it stays there where files are
    joined.
    """
    number, kept, cut = 0, b"", False
    for block in _blocks(stream):
        pieces = block.splitlines()
        # A last piece without an end continues in the next block.
        tail = b"" if block.endswith((b"\n", b"\r")) else pieces.pop()
        if pieces:
            # Only the first piece can be long, as it continues the line before it.
            first = kept + pieces[0]
            number += 1
            yield number, _unmarked(first[:MAX_LINE_BYTES]), cut or len(first) > MAX_LINE_BYTES
            for piece in pieces[1:]:
                number += 1
                yield number, _unmarked(piece), False
            kept, cut = b"", False
        if not cut:
            kept += tail
        if len(kept) > MAX_LINE_BYTES:
            kept, cut = kept[:MAX_LINE_BYTES], True
    if kept or cut:
        yield number + 1, _unmarked(kept), cut


def named_twice(names: Sequence[str]) -> str:
    """The names that come more than once, the first of them and the number of others; empty if
    there are none."""
    twice = sorted(name for name, times in Counter(names).items() if name and times > 1)
    others = f" and {len(twice) - _SHOWN:,} others" if len(twice) > _SHOWN else ""
    return ", ".join(twice[:_SHOWN]) + others


def excerpt(line: bytes) -> str:
    """The beginning of a line as it is shown among the errors."""
    return line[: EXCERPT_CHARS * 4].decode("utf-8", "replace")[:EXCERPT_CHARS]


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """Blocks that do not end between a carriage return and its line feed."""
    held = b""
    while block := stream.read(_BLOCK_BYTES):
        block = held + block
        held = b"\r" if block.endswith(b"\r") else b""
        if block := block[: len(block) - len(held)]:
            yield block
    if held:
        yield held


def _unmarked(line: bytes) -> bytes:
    return line.removeprefix(_BOM)
