"""Lines of text that can be put back, and the cells of a row by the rules of quoting."""

from collections import deque
from dataclasses import dataclass
from typing import IO

from services.indexer.intake.record import bounded_lines

_QUOTE = '"'


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text with its number, which begins at 1."""

    number: int
    text: str
    cut: bool
    """Whether the line is longer than MAX_LINE_BYTES; its text is then only the beginning."""


class Lines:
    """The lines of a stream, which can be put back to be read again."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines = bounded_lines(stream)
        self._again: deque[Line] = deque()

    def next(self) -> Line | None:
        """The next line; None at the end."""
        if self._again:
            return self._again.popleft()
        for number, content, cut in self._lines:
            return Line(number, content.decode("utf-8", "surrogateescape"), cut)
        return None

    def put_back(self, lines: list[Line]) -> None:
        """Lets these lines be read again before the others."""
        self._again.extendleft(reversed(lines))


class Cells:
    """The cells of one row, line by line, with the quoting rules of RFC 4180.

    As in Excel and Python's csv, text after a closing quote belongs to the cell.
    """

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._quotes = delimiter != "\t"
        self._cell: list[str] = []
        self._open = False
        self.done: list[str] = []
        self.clean = True
        """Whether only a delimiter followed each closing quote."""

    def feed(self, text: str) -> bool:
        """Adds a line. Returns False if a quoted cell continues in the next one."""
        if self._open:
            self._cell.append("\n")
        elif not self._quotes or _QUOTE not in text:
            self.done = text.split(self._delimiter)
            return True
        position: int | None = 0
        while position is not None:
            if not self._open and text.startswith(_QUOTE, position):
                self._open = True
                position += 1
            if self._open:
                position = self._quoted(text, position)
                if self._open:
                    return False
            else:
                position = self._plain(text, position)
        return True

    def _quoted(self, text: str, position: int) -> int | None:
        """Continues after a quote; returns the position of the next cell, None at the end."""
        while (end := text.find(_QUOTE, position)) >= 0:
            self._cell.append(text[position:end])
            if not text.startswith(_QUOTE, end + 1):
                self._open = False
                position = end + 1
                next_cell = text.find(self._delimiter, position)
                behind = text[position : next_cell if next_cell >= 0 else None]
                self.clean = self.clean and not behind.strip()
                return self._plain(text, position)
            self._cell.append(_QUOTE)
            position = end + 2
        self._cell.append(text[position:])
        return None

    def _plain(self, text: str, position: int) -> int | None:
        end = text.find(self._delimiter, position)
        self._cell.append(text[position:] if end < 0 else text[position:end])
        self.done.append("".join(self._cell))
        self._cell = []
        return None if end < 0 else end + 1
