"""Reads CSV and TSV: a header line, then a document in each row.

A quoted cell of a CSV may hold line breaks, so one stray quote can swallow the rows up to the next
quote, or up to the end of the file. If the lines that a quoted cell has taken in look like rows (as
many cells as the header, an id of the usual shape), the row with the quote is rejected and the
lines after it are read as rows of their own. In TSV a quote is a character like any other.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from services.indexer.intake.cells import Cells, Line, Lines
from services.indexer.intake.record import (
    EXCERPT_CHARS,
    MAX_LINE_BYTES,
    NOT_UTF8,
    TOO_LONG,
    BadInput,
    Record,
    named_twice,
)

_HEADER_LINES = 20
"""Most lines that follow the first one of a header whose names hold line breaks."""
_SHAPES = 64
"""Most shapes of ids that are remembered."""
_UNDECODED = re.compile("[\udc80-\udcff]")
_DIGITS = re.compile(r"\d+")
_LETTERS = re.compile(r"[^\W\d_]+")


def delimited(stream: IO[bytes], delimiter: str, id_column: str) -> Iterator[Record]:
    """The rows below the header; rows without any value are skipped, as blank lines are.

    Raises BadInput if the header cannot be used.
    """
    lines = Lines(stream)
    header = _read_header(lines, delimiter)
    rows = _Rows(lines, delimiter, header, id_column)
    while (row := rows.next()) is not None:
        yield row


def header_of(stream: IO[bytes], delimiter: str) -> list[str]:
    """The header of a stream, without the rows. Raises BadInput."""
    return _read_header(Lines(stream), delimiter)


def _read_header(lines: "Lines", delimiter: str) -> list[str]:
    """The names of the columns; unnamed columns at the end, as Excel leaves them, are dropped."""
    first = lines.next()
    while first is not None and _valueless(first.text, delimiter):
        first = lines.next()
    if first is None:
        raise BadInput("The file has no header line; name the columns, at least `id` and `text`.")
    begin = first.number
    cells = Cells(delimiter)
    while not cells.feed(first.text):
        following = lines.next()
        if following is None or following.number - begin > _HEADER_LINES:
            raise BadInput("A quote in the header line is not closed; close it or remove it.")
        first = following
    header = [cell.strip() for cell in cells.done]
    while header and not header[-1]:
        header.pop()
    if twice := named_twice(header):
        raise BadInput(
            f"The header names the column {twice} twice; every column needs its own name."
        )
    return header


def _valueless(text: str, delimiter: str) -> bool:
    """Whether a line above the header says nothing: empty cells, or the delimiter, which some
    programs name in a line of its own for Excel."""
    bare = text.strip().strip('"')
    return not bare.strip(f"{delimiter} ") or bare.lower() == f"sep={delimiter}".strip()


@dataclass(slots=True)
class _Rows:
    """Reads rows one after the other, and remembers the shapes of their ids."""

    lines: Lines
    delimiter: str
    header: list[str]
    id_column: str
    _shapes: set[str] = field(default_factory=set)
    """Shapes of the ids so far: which characters are digits and which are letters."""

    def next(self) -> Record | None:
        """The next row that has any value; None at the end."""
        while (line := self.lines.next()) is not None:
            cells = Cells(self.delimiter)
            if line.cut:
                return _problem(line, TOO_LONG)
            if not cells.feed(line.text):
                record = self._over_lines(line, cells)
            else:
                record = self._record(cells.done, line.number, line.text)
            if record is not None:
                return record
        return None

    def _over_lines(self, first: Line, cells: Cells) -> Record | None:
        """The record of a row with a quoted cell that continues after its first line."""
        following: list[Line] = []
        size, closed = len(first.text), False
        while not closed and size < MAX_LINE_BYTES:
            line = self.lines.next()
            if line is None or line.cut:
                if line is not None:
                    self.lines.put_back([line])
                break
            following.append(line)
            size += len(line.text)
            closed = cells.feed(line.text)
        whole = closed and cells.clean and len(self._trimmed(cells.done)) == len(self.header)
        if self._swallowed(first, following, whole=whole):
            self.lines.put_back(following)
            end = f"is closed on line {following[-1].number} only" if closed else "is not closed"
            return _problem(
                first,
                f"opens a quote that {end}, and the lines behind it look like rows; remove the"
                ' quote, or write it twice (""). Those lines were read as rows',
            )
        last = following[-1] if following else first
        shown = "\n".join([first.text, *(line.text for line in following)])
        if not closed:
            reason = f"opens a quote that is not closed up to line {last.number}"
            return _problem(Line(first.number, shown, cut=False), reason)
        return self._record(cells.done, last.number, shown)

    def _swallowed(self, first: Line, following: list[Line], *, whole: bool) -> bool:
        """Whether a quoted cell has taken in rows: half of its lines look like rows.

        All of them must look so if the cell is well formed and the table has only two columns,
        since the lines of a text often hold one comma.
        """
        looks = [
            self._looks_like_row(line.text, first.text)
            for line in following
            if line.text.replace(self.delimiter, "").strip()
        ]
        if whole and len(self.header) < 3:
            return bool(looks) and all(looks)
        return bool(looks) and 2 * sum(looks) >= len(looks)

    def _looks_like_row(self, text: str, first: str) -> bool:
        """Whether a line inside a quoted cell would be a row by itself."""
        cells = Cells(self.delimiter)
        if cells.feed(text):
            fits = len(self._trimmed(cells.done)) == len(self.header)
        else:  # The last cell of the row continues in the next line.
            fits = 0 < len(cells.done) < len(self.header)
        if not fits:
            return False
        shape = _shape(self._id(cells.done or [text]))
        own = _shape(self._id(first.split(self.delimiter)))
        return bool(shape) and (shape in self._shapes or shape == own)

    def _id(self, cells: list[str]) -> str:
        place = self.header.index(self.id_column) if self.id_column in self.header else 0
        return cells[place].strip() if place < len(cells) else ""

    def _trimmed(self, cells: list[str]) -> list[str]:
        """The cells without empty ones beyond the header, which spreadsheets write."""
        while len(cells) > len(self.header) and not cells[-1].strip():
            cells = cells[:-1]
        return cells

    def _record(self, cells: list[str], number: int, text: str) -> Record | None:
        if not any(cell.strip() for cell in cells):
            return None
        shown, cells, problem = text, self._trimmed(cells), ""
        if _UNDECODED.search(text):
            problem = NOT_UTF8
            shown = _UNDECODED.sub("\ufffd", text)
        elif len(cells) != len(self.header):
            problem = f"has {len(cells)} cells where the header has {len(self.header)}"
        elif [cell.strip() for cell in cells] == self.header:
            problem = "repeats the header"  # Files were joined.
        else:
            problem = self._unnamed(cells)
        if problem:
            return Record(number, None, problem, shown[:EXCERPT_CHARS])
        if len(self._shapes) < _SHAPES:
            self._shapes.add(_shape(self._id(cells)))
        values: dict[str, Any] = {
            name: cell for name, cell in zip(self.header, cells, strict=True) if cell != "" and name
        }
        return Record(number, values, excerpt=shown[:EXCERPT_CHARS])

    def _unnamed(self, cells: list[str]) -> str:
        for place, (name, cell) in enumerate(zip(self.header, cells, strict=True), start=1):
            if not name and cell.strip():
                return f"has a value in column {place}, which has no name in the header"
        return ""


def _problem(line: Line, reason: str) -> Record:
    shown = _UNDECODED.sub("\ufffd", line.text[:EXCERPT_CHARS])
    return Record(line.number, None, reason, shown)


def _shape(identity: str) -> str:
    return _LETTERS.sub("a", _DIGITS.sub("9", identity))
