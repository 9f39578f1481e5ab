"""Reads BibTeX entry by entry with bibtexparser."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from bibtexparser.entrypoint import parse_string
from bibtexparser.model import (
    Block,
    DuplicateBlockKeyBlock,
    DuplicateFieldKeyBlock,
    Entry,
    ParsingFailedBlock,
    String,
)

from services.common.citations import bibtex
from services.common.citations.reference import Kind
from services.indexer.intake.citations.latex import address, plain
from services.indexer.intake.citations.values import MONTHS, reference_values
from services.indexer.intake.record import (
    EXCERPT_CHARS,
    MAX_LINE_BYTES,
    NOT_UTF8,
    TOO_LONG,
    Record,
    bounded_lines,
)

_BEGIN = re.compile(r"\s*@\s*[A-Za-z]+\s*[{(]")
_SPACED = re.compile(r"\A\s*@\s+")
_BEHIND_TEXT = re.compile(r"@[A-Za-z]+\s*\{[^\s{},]+,")
"""The beginning of an entry behind other text in a line, which an address like me@home is not."""
_NO_ENTRY = re.compile(r"\s*@\s*(?:comment|preamble)", re.IGNORECASE)
_ENCLOSING = "removed_enclosing"
"""The name under which the library tells the signs around a value."""
_JOINED_CHARS = 100_000
"""Most characters of a value that is joined of several parts; a longer one stays as it is written.
Abbreviations of abbreviations would else grow without end."""
_STRINGS = 1_000
"""Most abbreviations of a file, `@string`, that are remembered."""
_KINDS: Mapping[str, Kind] = {
    **{name: kind for kind, name in bibtex.TYPES.items() if kind is not Kind.NEWSPAPER},
    **dict.fromkeys(("periodical", "suppperiodical"), Kind.ARTICLE),
    **dict.fromkeys(("booklet", "manual", "mvbook", "collection", "proceedings"), Kind.BOOK),
    **dict.fromkeys(("inbook", "suppbook", "inreference"), Kind.CHAPTER),
    **dict.fromkeys(("conference",), Kind.CONFERENCE),
    **dict.fromkeys(("mastersthesis", "thesis"), Kind.THESIS),
    **dict.fromkeys(("report",), Kind.REPORT),
    **dict.fromkeys(("electronic", "www", "webpage"), Kind.WEBPAGE),
    **dict.fromkeys(("unpublished",), Kind.OTHER),
}
_NAMES = {
    **{theirs: ours for ours, theirs in bibtex.FIELDS.items()},
    "location": "place",
    "language": "language",
    "title": "title",
    "abstract": "text",
    "journaltitle": "journal",
    "journal": "journal",
    "booktitle": "journal",
    "issue": "issue",
    "eid": "number",
    "school": "institution",
    "institution": "institution",
    "organization": "institution",
    "annote": "note",
}
_PART = re.compile(r'"(?:[^"{}]|\{[^{}]*\})*"|\{(?:[^{}]|\{[^{}]*\})*\}|[^#\s"{}]+')
"""A part of a value that `#` joins: in quotation marks, in braces, or a number or abbreviation."""
_DASH = re.compile(r"(?<!\s)\s*-{2,3}\s*")
_AND = re.compile(r"[{}]|(?<!\s)\s+and\s+", re.IGNORECASE)
_TOO_DEEP = "has too many braces within each other, or opens some that it does not close"


@dataclass(slots=True)
class _Piece:
    """The lines of one entry."""

    line: int
    lines: list[str] = field(default_factory=list)
    size: int = 0
    problem: str = ""

    def add(self, text: str, problem: str) -> None:
        self.size += len(text) + 1
        self.problem = self.problem or problem or (TOO_LONG if self.size > MAX_LINE_BYTES else "")
        if not self.problem:
            self.lines.append(text)


def entries(stream: IO[bytes]) -> Iterator[Record]:
    """A record for each entry; text between entries is a comment, as BibTeX defines it.

    An entry ends where the next one begins, so that a brace that is never closed costs no other.
    """
    strings: dict[str, str] = {}
    for piece in _pieces(stream):
        text = "\n".join(piece.lines)
        if piece.problem:
            yield Record(piece.line, None, piece.problem, text[:EXCERPT_CHARS])
        else:
            yield from _records(piece.line, text, strings)


def _pieces(stream: IO[bytes]) -> Iterator[_Piece]:
    piece: _Piece | None = None
    for number, content, cut in bounded_lines(stream):
        problem = TOO_LONG if cut else ""
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text, problem = content.decode("utf-8", "replace"), problem or NOT_UTF8
        if _BEGIN.match(text) or (piece is None and _BEHIND_TEXT.search(text)):
            if piece is not None:
                yield piece
            piece = _Piece(number)
        if piece is not None:
            piece.add(text, problem)
            if not piece.lines:
                piece.lines.append(text[:EXCERPT_CHARS])
    if piece is not None:
        yield piece


def _records(first: int, text: str, strings: dict[str, str]) -> Iterator[Record]:
    """A record for each entry in these lines, of which several can stand in one line.

    `first` is the number of the first line. Abbreviations that the lines define are added to
    `strings`, by their names in lower case.
    """
    excerpt = text[:EXCERPT_CHARS]
    for place, block in _blocks(text):
        if isinstance(block, Entry):
            bare = block.parser_metadata.get(_ENCLOSING, {})
            fields = {
                item.key.lower(): _expanded(str(item.value), bare.get(item.key), strings)
                for item in block.fields
            }
            try:
                values = _values(block.entry_type.lower(), block.key, fields)
            except RecursionError:
                yield Record(first + place, None, _TOO_DEEP, excerpt)
            else:
                yield Record(first + place, values, excerpt=excerpt)
        elif isinstance(block, String) and len(strings) < _STRINGS:
            enclosing = block.parser_metadata.get(_ENCLOSING)
            strings[block.key.lower()] = _expanded(str(block.value), enclosing, strings)
        elif isinstance(block, ParsingFailedBlock) and not _NO_ENTRY.match(block.raw or ""):
            yield Record(first + place, None, _why(block), excerpt)


def _blocks(text: str) -> Iterator[tuple[int, Block]]:
    """The entries and all else in these lines, each with the number of lines before it."""
    # The library takes an entry with a space behind its sign for a comment.
    for block in parse_string(_SPACED.sub("@", text)).blocks:
        place = block.start_line or 0
        if isinstance(block, DuplicateBlockKeyBlock):
            # If entries share an id, the last one is taken, whether they stand in one line or in
            # several.
            yield from ((place, again) for again in parse_string(block.raw or "").blocks)
        else:
            yield place, block


def _expanded(value: str, enclosing: str | None, strings: Mapping[str, str]) -> str:
    """A value whose parts are joined, as in `"A" # jan`, with the texts of its abbreviations."""
    if enclosing != "no-enclosing":
        return value
    joined = ""
    for match in _PART.finditer(value):
        part = match[0].strip()
        enclosed = part[:1] in '"{'
        joined += part[1:-1] if enclosed else strings.get(part.lower(), part)
        if len(joined) > _JOINED_CHARS:
            return value
    return joined


def _why(block: ParsingFailedBlock) -> str:
    if isinstance(block, DuplicateFieldKeyBlock):
        return "names a field twice; remove one"
    return "is damaged: a brace, a quote or a comma is missing"


def _values(entry_type: str, key: str, fields: Mapping[str, str]) -> dict[str, Any]:
    kind = _KINDS.get(entry_type, Kind.OTHER)
    if fields.get(bibtex.SUBTYPE) == "newspaper":
        kind = Kind.NEWSPAPER
    members: dict[str, list[str]] = {}
    for name, value in fields.items():
        if (ours := _NAMES.get(name)) and ours not in members:
            members[ours] = [(address if ours in bibtex.VERBATIM else plain)(value)]
    if "number" in fields:
        members["number" if kind in bibtex.NUMBERED else "issue"] = [plain(fields["number"])]
    if "pages" in fields:
        members["pages"] = [plain(_DASH.sub("-", fields["pages"]))]
    for ours, theirs in (("authors", "author"), ("editors", "editor")):
        members[ours] = [plain(name) for name in _names(fields.get(theirs, ""))]
    words = plain(fields.get("keywords", fields.get("keyword", "")))
    members["keywords"] = re.split("[;；]" if re.search("[;；]", words) else "[,，]", words)
    month = plain(fields.get("month", "")).strip()
    if month and "date" not in members and "year" in members:
        if month.lower()[:3] in MONTHS:
            month = str(MONTHS.index(month.lower()[:3]) + 1)
        members["date"] = [f"{members['year'][0]}-{month:0>2}"]
    return reference_values(kind, members, plain(fields.get("ids", key)))


def _names(text: str) -> list[str]:
    """The names between ` and `, which braces protect."""
    names, depth, begin = [], 0, 0
    for match in _AND.finditer(text):
        sign = match[0]
        if sign in "{}":
            depth += 1 if sign == "{" else -1
        elif depth == 0:
            names.append(text[begin : match.start()])
            begin = match.end()
    names = [name for name in [*names, text[begin:]] if name.strip()]
    # The last name of several may stand for all that are not named.
    unnamed = len(names) > 1 and names[-1].strip().lower() == "others"
    return names[:-1] if unnamed else names
