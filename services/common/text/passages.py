"""Cuts the body of a document into passages: at headings, paragraphs and sentences.

Passages are measured in bytes of UTF-8, four of which are about one token of a multilingual
encoder: three make a Chinese character (0.7 tokens), and an English token has about four letters.
So the same body has the same passages whatever the encoder, and wherever it is cut.

A line that begins with `#` is a heading, as in Markdown, and a form feed begins a new page.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

SIZE_BYTES = 480
"""Length of a passage in bytes of UTF-8, about 120 tokens: with its title it fits into what the
encoder reads."""
OVERLAP_BYTES = 0
"""Most bytes of a passage's end that are repeated at the beginning of the next. Repetition finds no
more documents and shows the answer less often, with more passages (docs/measurements)."""
MAX_SECTION_CHARS = 200

_HEADING = re.compile(r"(?:\A|(?<=[\n\r\f]))[ \t]{0,3}(#{1,6})[ \t]+([^\s#][^\n\r\f]*)")
_ENDS = (
    re.compile(r"[\n\r\f][ \t]*"),
    re.compile(r"[。！？；!?;…][”’」』）)\"']*[ \t]*|[.．][”’)\"']*\s+"),
    re.compile(r"[，、,：:][ \t]*|\s+"),
)
"""Patterns of places where a passage may end, the best first: paragraphs, sentences, clauses and
words."""
_LEAST_SHARES = (0.6, 0.3, 0.3)
"""Share to which a passage must be full to end at each kind of place, the best kind first."""
_MOST_BLANKS = 10_000
"""Most white space in a passage. White space alone is no passage, unless it is more than a row can
hold."""


@dataclass(frozen=True, slots=True)
class Span:
    """The place of a passage in the body."""

    start: int
    """Index of its first character."""
    end: int
    """Index of the character after its last."""
    page: int | None
    """Number of its page, from 1; None in a body without form feeds."""
    section: str
    """Headings above it, the outermost first; empty if there are none."""


def passages(body: str, *, size: int = SIZE_BYTES, overlap: int = OVERLAP_BYTES) -> list[Span]:
    """The passages of a body in their order; together they hold every character of it.

    Each has at most `size` bytes beside white space, and begins with at most `overlap` bytes of the
    one before, unless a heading begins it.
    """
    if not body.strip():
        return []
    pages = [match.start() for match in re.finditer("\f", body)]
    spans: list[Span] = []
    for block, end, section in _blocks(body):
        for start, stop in _windows(body, block, end, size, overlap):
            text = body[start:stop]
            if spans and text.isspace() and stop - spans[-1].start < _MOST_BLANKS:
                spans[-1] = replace(spans[-1], end=stop)
                continue
            begin = start + len(text) - len(text.lstrip())
            page = bisect_right(pages, begin) + 1 if pages else None
            spans.append(Span(start, stop, page, section))
    return spans


def _blocks(body: str) -> Iterator[tuple[int, int, str]]:
    """The body cut at its headings, each block with its section; headings without a text between
    them begin one block."""
    begun, behind, section = 0, 0, ""
    path: list[tuple[int, str]] = []
    for heading in _HEADING.finditer(body):
        if body[behind : heading.start()].strip():
            yield begun, heading.start(), section
            begun = heading.start()
        level, name = len(heading[1]), heading[2].rstrip().rstrip("#").rstrip()
        path = [*(outer for outer in path if outer[0] < level), (level, name)]
        section = " › ".join(name for _, name in path)[:MAX_SECTION_CHARS]
        behind = heading.end()
    yield begun, len(body), section


def _windows(body: str, start: int, end: int, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """The parts of a block, of at most `size` bytes each."""
    while True:
        part = _beginning(body[start : min(end, start + size)], size)
        if start + len(part) >= end:
            yield start, end
            return
        stop = start + _end(part)
        yield start, stop
        start = max(start + 1, _repeated(body, start, stop, overlap))


def _beginning(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def _end(part: str) -> int:
    """The end of a passage that could reach at most to the end of `part`."""
    for ends, share in zip(_ENDS, _LEAST_SHARES, strict=True):
        least = int(len(part) * share)
        last = max((match.end() for match in ends.finditer(part, least)), default=0)
        if last > least:
            return last
    return len(part)


def _repeated(body: str, start: int, stop: int, overlap: int) -> int:
    """The start of the passage after one: it repeats the last sentences of that, as many as are
    allowed."""
    tail = body[max(start, stop - overlap) : stop].encode()[-overlap:] if overlap else b""
    text = tail.decode(errors="ignore")
    begins = [match.end() for ends in _ENDS[:2] for match in ends.finditer(text)]
    first = min(begins, default=len(text))
    return stop - len(text) + first
