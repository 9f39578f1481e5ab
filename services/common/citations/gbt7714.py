"""References as GB/T 7714-2015 writes them in a numbered list, for people to paste."""

import re
from collections.abc import Iterable, Mapping

from services.common.citations.reference import Kind, kind_of, text_of, texts_of
from services.common.documents import Content
from services.common.fields.values import FieldValue

_MARKS = {
    Kind.ARTICLE: "J",
    Kind.BOOK: "M",
    Kind.CHAPTER: "M",
    Kind.CONFERENCE: "C",
    Kind.THESIS: "D",
    Kind.REPORT: "R",
    Kind.PATENT: "P",
    Kind.NEWSPAPER: "N",
    Kind.STANDARD: "S",
    Kind.WEBPAGE: "EB/OL",
    Kind.DATASET: "DS",
    Kind.OTHER: "Z",
}
_SHOWN = 3
"""Names that are written out (section 8.1.2 of the standard); the others are "et al."."""
_HAN = re.compile("[\u3400-\u9fff]")


def gbt7714(documents: Iterable[Content]) -> str:
    """The documents as a numbered list, a reference a line."""
    return "".join(f"[{n}] {reference(one)}\n" for n, one in enumerate(documents, start=1))


def reference(document: Content) -> str:
    """One reference, without its number."""
    fields, kind = document.fields, kind_of(document.fields)
    chinese = bool(_HAN.search(document.title))
    title = " ".join((document.title or document.id).split())
    if kind is Kind.PATENT and (number := text_of(fields, "number")):
        title = f"{title}: {number}"
    if kind is Kind.STANDARD and (number := text_of(fields, "number")):
        title = f"{number} {title}" if chinese else f"{title}: {number}"
    online = kind is Kind.DATASET and text_of(fields, "url")
    head = f"{title}[{_MARKS[kind]}{'/OL' if online else ''}]"
    parts = [_names(texts_of(fields, "authors"), chinese), _held(head, fields, kind, chinese)]
    parts += [_published(fields, kind), text_of(fields, "url") if _shows_url(fields, kind) else ""]
    doi = text_of(fields, "doi")
    parts.append(f"DOI:{doi}" if doi else "")
    joined = ". ".join(part.strip(" .") for part in parts if part.strip(" ."))
    return f"{joined}."


def _held(head: str, fields: Mapping[str, FieldValue], kind: Kind, chinese: bool) -> str:
    """The title with the mark of its kind; a chapter or paper is followed by the work that holds
    it."""
    whole = text_of(fields, "journal")
    if kind in (Kind.CHAPTER, Kind.CONFERENCE) and whole:
        editors = _names(texts_of(fields, "editors"), chinese)
        head = f"{head}//{f'{editors}. ' if editors else ''}{whole}"
    edition = text_of(fields, "edition")
    return f"{head}. {edition}" if edition else head


def _published(fields: Mapping[str, FieldValue], kind: Kind) -> str:
    year, pages = text_of(fields, "year"), text_of(fields, "pages")
    date = text_of(fields, "date") or year
    if kind in (Kind.ARTICLE, Kind.NEWSPAPER):
        volume, issue = text_of(fields, "volume"), text_of(fields, "issue")
        when = date if kind is Kind.NEWSPAPER else year
        placed = ", ".join(item for item in (text_of(fields, "journal"), when, volume) if item)
        placed += f"({issue})" if issue else ""
        return f"{placed}: {pages}" if pages else placed
    if kind is Kind.WEBPAGE:
        return f"({date})" if date else ""
    if kind is Kind.PATENT:
        return date
    house = text_of(fields, "publisher") or text_of(fields, "institution")
    place = text_of(fields, "place")
    made = ": ".join(item for item in (place, house) if item)
    made = ", ".join(item for item in (made, year) if item)
    return f"{made}: {pages}" if pages and kind is not Kind.THESIS else made


def _shows_url(fields: Mapping[str, FieldValue], kind: Kind) -> bool:
    return kind in (Kind.WEBPAGE, Kind.DATASET) and bool(fields.get("url"))


def _names(names: list[str], chinese: bool) -> str:
    shown = [_name(name) for name in names[:_SHOWN]]
    if len(names) > _SHOWN:
        shown.append("等" if chinese or _HAN.search(names[0]) else "et al")
    return ", ".join(shown)


def _name(name: str) -> str:
    """A Chinese name as it is; any other name as the family name in capitals, then initials."""
    if _HAN.search(name):
        return name.strip()
    family, comma, given = name.partition(",")
    if not comma:
        *rest, family = name.split() or [name]
        given = " ".join(rest)
    initials = " ".join(part[0].upper() for part in re.split(r"[\s.-]+", given) if part)
    return f"{family.strip().upper()} {initials}".strip()
