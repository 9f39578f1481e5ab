"""References as BibTeX, with the fields of biblatex where BibTeX has none."""

import re
from collections.abc import Iterable, Iterator

from services.common.citations.reference import Kind, kind_of, text_of, texts_of
from services.common.documents import Content

TYPES = {
    Kind.ARTICLE: "article",
    Kind.BOOK: "book",
    Kind.CHAPTER: "incollection",
    Kind.CONFERENCE: "inproceedings",
    Kind.THESIS: "phdthesis",
    Kind.REPORT: "techreport",
    Kind.PATENT: "patent",
    Kind.NEWSPAPER: "article",
    Kind.STANDARD: "standard",
    Kind.WEBPAGE: "online",
    Kind.DATASET: "dataset",
    Kind.OTHER: "misc",
}
SUBTYPE = "entrysubtype"
"""biblatex's field that tells a newspaper's article from a journal's."""
FIELDS = {
    "year": "year",
    "date": "date",
    "volume": "volume",
    "doi": "doi",
    "issn": "issn",
    "isbn": "isbn",
    "publisher": "publisher",
    "place": "address",
    "edition": "edition",
    "language": "langid",
    "url": "url",
    "note": "note",
}
"""BibTeX's name of each field that has one name in every kind of entry."""
VERBATIM = ("url", "doi")
"""Fields whose values are not LaTeX."""
HELD_IN = (Kind.CHAPTER, Kind.CONFERENCE)
"""Kinds that are part of a book, which is called `booktitle`."""
NUMBERED = (Kind.PATENT, Kind.STANDARD, Kind.REPORT)
"""Kinds with a number of their own, which is not the issue of a journal."""
_SPECIAL = {
    "\\": "\\textbackslash{}",
    "{": "\\textbraceleft{}",
    "}": "\\textbraceright{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_"},
}
_LIGATURE = re.compile(r"(?<=([-`'<>]))(?=\1)|(?<=[?!])(?=`)")
"""The place between two signs that LaTeX would set as one."""


def bibtex(documents: Iterable[Content]) -> str:
    """The documents as BibTeX in UTF-8; the key of an entry is the document's id as far as a key
    can hold it."""
    entries, used = [], set[str]()
    for document in documents:
        key = _key(document.id, used)
        used.add(key)
        entries.append(_entry(document, key))
    return "\n".join(entries)


def _entry(document: Content, key: str) -> str:
    kind = kind_of(document.fields)
    lines = [f"  {name} = {{{value}}}," for name, value in _values(document, kind)]
    if key != document.id:
        lines.append(f"  ids = {{{_escaped(document.id)}}},")
    return "\n".join([f"@{TYPES[kind]}{{{key},", *lines, "}"]) + "\n"


def _values(document: Content, kind: Kind) -> Iterator[tuple[str, str]]:
    fields = document.fields
    if document.title:
        yield "title", _escaped(document.title)
    for name, field in (("authors", "author"), ("editors", "editor")):
        if names := texts_of(fields, name):
            yield field, " and ".join(map(_name, names))
    if kind is Kind.NEWSPAPER:
        yield SUBTYPE, "newspaper"
    if held_in := text_of(fields, "journal"):
        yield "booktitle" if kind in HELD_IN else "journal", _escaped(held_in)
    for name, field in FIELDS.items():
        if value := text_of(fields, name):
            yield field, _verbatim(value) if field in VERBATIM else _escaped(value)
    own, other = ("issue", "number") if kind in NUMBERED else ("number", "eid")
    for name, field in (("issue", own), ("number", other)):
        if value := text_of(fields, name):
            yield field, _escaped(value)
    if place := text_of(fields, "institution"):
        yield "school" if kind is Kind.THESIS else "institution", _escaped(place)
    if pages := text_of(fields, "pages"):
        yield "pages", _escaped(pages).replace("-", "--") if "--" not in pages else _escaped(pages)
    if words := texts_of(fields, "keywords"):
        joint = "; " if any("," in word for word in words) or len(words) == 1 else ", "
        yield "keywords", _escaped(joint.join(words)) + (";" if len(words) == 1 else "")
    if document.text:
        yield "abstract", _escaped(document.text)


def _name(name: str) -> str:
    escaped = _escaped(name)
    return f"{{{escaped}}}" if re.search(r"\sand\s", name, re.IGNORECASE) else escaped


def _escaped(text: str) -> str:
    """The text with LaTeX's own characters and ligatures written so that they stay themselves."""
    signs = "".join(_SPECIAL.get(char, char) for char in text)
    return _LIGATURE.sub("{}", signs)


def _verbatim(text: str) -> str:
    """An address or DOI; braces that would end the field are percent-encoded."""
    return text.replace("{", "%7B").replace("}", "%7D")


def _key(identity: str, used: set[str]) -> str:
    """A key that every reader of BibTeX takes, and that no other entry has."""
    key = re.sub(r"[^\w./:+-]+", "-", identity).strip("-") or "ref"
    number, free = 1, key
    while free in used:
        number += 1
        free = f"{key}-{number}"
    return free
