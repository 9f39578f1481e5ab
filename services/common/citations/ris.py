"""References as RIS, the format of Reference Manager that every other program reads."""

import re
from collections.abc import Iterable, Iterator

from services.common.citations.reference import Kind, kind_of, text_of, texts_of
from services.common.documents import Content

TYPES = {
    Kind.ARTICLE: "JOUR",
    Kind.BOOK: "BOOK",
    Kind.CHAPTER: "CHAP",
    Kind.CONFERENCE: "CONF",
    Kind.THESIS: "THES",
    Kind.REPORT: "RPRT",
    Kind.PATENT: "PAT",
    Kind.NEWSPAPER: "NEWS",
    Kind.STANDARD: "STAND",
    Kind.WEBPAGE: "ELEC",
    Kind.DATASET: "DATA",
    Kind.OTHER: "GEN",
}
TAGS = {
    "authors": "AU",
    "editors": "A2",
    "keywords": "KW",
    "journal": "T2",
    "date": "DA",
    "volume": "VL",
    "issue": "IS",
    "doi": "DO",
    "publisher": "PB",
    "place": "CY",
    "edition": "ET",
    "institution": "AD",
    "number": "M1",
    "language": "LA",
    "url": "UR",
    "note": "N1",
}
"""The tag of each field that has one of its own."""
_RANGE = re.compile(r"([^\s,;-]+)-([^\s,;-]+)")
_TAGGED = re.compile(r"[A-Z][A-Z0-9]  -")


def ris(documents: Iterable[Content]) -> str:
    """The documents as RIS, each from TY to ER."""
    return "".join(_entry(document) for document in documents)


def _entry(document: Content) -> str:
    kind = kind_of(document.fields)
    lines = [f"TY  - {TYPES[kind]}", f"ID  - {document.id}"]
    lines += (f"{tag}  - {_value(value)}" for tag, value in _values(document, kind))
    return "\n".join([*lines, "ER  - "]) + "\n\n"


def _values(document: Content, kind: Kind) -> Iterator[tuple[str, str]]:
    fields = document.fields
    if document.title:
        yield "TI", document.title
    for name, tag in TAGS.items():
        for value in texts_of(fields, name):
            yield "JO" if (name, kind) == ("journal", Kind.ARTICLE) else tag, value
    if year := text_of(fields, "year"):
        yield "PY", year
    pages = text_of(fields, "pages")
    if span := _RANGE.fullmatch(pages):
        yield "SP", span[1]
        yield "EP", span[2]
    elif pages:
        yield "SP", pages
    for name in ("issn", "isbn"):
        for value in texts_of(fields, name):
            yield "SN", value
    if document.text:
        yield "AB", document.text


def _value(text: str) -> str:
    """A value over one or more lines, none of which begins as a tag does."""
    first, *rest = text.splitlines() or [""]
    return "\n".join([first, *(f" {line}" if _TAGGED.match(line) else line for line in rest)])
