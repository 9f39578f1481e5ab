"""Reads formats of lines with a tag before each value, in constant memory.

rispy, the maintained library for RIS, is not used (docs/adr/0014): it silently drops an entry
without its end and lines before the first one, and knows no line numbers.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from services.indexer.intake.record import (
    EXCERPT_CHARS,
    MAX_LINE_BYTES,
    NOT_UTF8,
    TOO_LONG,
    Record,
    bounded_lines,
)

_NOTHING = re.compile(r"(?!)")
Values = list[tuple[str, str]]
"""The tags of an entry with their values, in the order of the file."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """A format of citations in which each line begins with a tag."""

    name: str
    line: re.Pattern[str]
    """Pattern of a line with a tag, with the groups `tag` and `value`. A line that does not match
    continues the value before."""
    read: Callable[[Values], dict[str, Any]]
    """Makes the values of a document from those of an entry."""
    start: str = ""
    """Tag that begins an entry; if empty, the first tag of the file does."""
    end: str = ""
    """Tag that ends an entry; if empty, the start of the next one ends it."""
    once: str = ""
    """Tag that comes once in an entry; a second one shows that an entry lost its beginning."""
    preface: re.Pattern[str] = _NOTHING
    """Pattern of the lines in which the servers of publishers name themselves above the entries."""
    joint: str = "\n"
    """Text between a value and the line that continues it."""


@dataclass(slots=True)
class _Entry:
    line: int
    shown: list[str] = field(default_factory=list)
    size: int = 0
    problem: str = ""
    blanks: int = 0
    """Number of blank lines since the last value, which belong to it only if it continues."""
    _tags: list[tuple[str, list[str]]] = field(default_factory=list)
    """The tags with the pieces of their values, which are joined at the end."""

    def add(self, text: str) -> None:
        if self.size < EXCERPT_CHARS:
            self.shown.append(text)
        self.size += len(text) + 1
        if self.size > MAX_LINE_BYTES:
            self.problem = self.problem or TOO_LONG
            self._tags.clear()

    def begin(self, tag: str, value: str) -> None:
        """Adds a tag with its value. The values of an entry with a problem are not needed."""
        if not self.problem:
            self._tags.append((tag, [value] if value else []))
            self.blanks = 0

    def has(self, tag: str) -> bool:
        """Whether the entry has a value of this tag."""
        return any(tag == other for other, _ in self._tags)

    def go_on(self, text: str, joint: str) -> None:
        """Adds a line without a tag to the last value."""
        if not text.strip():
            self.blanks += 1
        elif self._tags and not self.problem:
            _, pieces = self._tags[-1]
            if pieces:
                pieces.append(joint * (1 + self.blanks) if joint == "\n" else joint)
            pieces.append(text.strip())
            self.blanks = 0

    @property
    def values(self) -> Values:
        return [(tag, "".join(pieces)) for tag, pieces in self._tags]

    @property
    def excerpt(self) -> str:
        return "\n".join(self.shown)[:EXCERPT_CHARS]


def tagged(stream: IO[bytes], dialect: Dialect) -> Iterator[Record]:
    """A record for each entry, and one with a problem for each run of lines outside of entries."""
    entry: _Entry | None = None
    stray: _Entry | None = None
    start = dialect.start
    for number, content, cut in bounded_lines(stream):
        text, problem = _decoded(content, cut=cut)
        match = dialect.line.match(text)
        tag = match["tag"] if match else ""
        start = start or tag
        if tag and tag == start:
            yield from _broken_off(entry, dialect, number)
            yield from _stray(stray, dialect)
            entry, stray = _Entry(number), None
        elif entry is None:
            ended = tag and tag == dialect.end
            if text.strip() and not ended and not dialect.preface.match(text):
                stray = stray or _Entry(number)
                stray.add(text)
            continue
        entry.problem = entry.problem or problem
        if tag and tag == dialect.end:
            yield _record(entry, dialect)
            entry = None
            continue
        entry.add(text)
        if match:
            if tag == dialect.once and not entry.problem and entry.has(tag):
                entry.problem = (
                    f"has a second title on line {number}: an entry in it lost its beginning"
                )
            entry.begin(tag, match["value"].strip())
        else:
            entry.go_on(text, dialect.joint)
    yield from _broken_off(entry, dialect, None)
    yield from _stray(stray, dialect)


def _decoded(content: bytes, *, cut: bool) -> tuple[str, str]:
    """The text of a line, and the reason why it cannot be read; empty if it can."""
    if cut:
        return content.decode("utf-8", "replace"), TOO_LONG
    try:
        return content.decode("utf-8"), ""
    except UnicodeDecodeError:
        return content.decode("utf-8", "replace"), NOT_UTF8


def _broken_off(entry: _Entry | None, dialect: Dialect, following: int | None) -> Iterator[Record]:
    """Yields the entry before the next one or before the end of the file; without its own end it is
    damaged."""
    if entry is None:
        return
    if dialect.end and not entry.problem:
        where = "the file ends" if following is None else f"the next entry begins on {following}"
        entry.problem = f"is not ended by {dialect.end}: {where}"
    yield _record(entry, dialect)


def _stray(stray: _Entry | None, dialect: Dialect) -> Iterator[Record]:
    if stray is not None:
        yield Record(
            stray.line, None, f"stands outside of any entry of {dialect.name}", stray.excerpt
        )


def _record(entry: _Entry, dialect: Dialect) -> Record:
    if entry.problem:
        return Record(entry.line, None, entry.problem, entry.excerpt)
    return Record(entry.line, dialect.read(entry.values), excerpt=entry.excerpt)
