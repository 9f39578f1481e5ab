"""What a format's reader yields, and what it raises."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

MAX_LINE_BYTES = 1 << 20
"""A longer line cannot be a document that fits; the rest of it is skipped unread."""
EXCERPT_CHARS = 1_000


class BadInput(Exception):
    """The input as a whole cannot be read. The message is for the user: what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line, or one row of a table, before validation."""

    line: int
    """1-based; the line on which it ends, or the row of a table."""
    values: dict[str, Any] | None
    """None when the line itself cannot be read."""
    problem: str = ""
    excerpt: str = ""
    """What the user sees of it among the errors."""


def bounded_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Line number, content without its end, and whether it was cut at MAX_LINE_BYTES."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES):
        number += 1
        cut = len(line) == MAX_LINE_BYTES and not line.endswith(b"\n")
        rest = line
        while cut and rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES)
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        yield number, line.rstrip(b"\r\n"), cut


def excerpt(line: bytes) -> str:
    return line[: EXCERPT_CHARS * 4].decode("utf-8", "replace")[:EXCERPT_CHARS]
