"""A document as a reference to literature: its kind, and its fields by name.

The fields are metadata like any other: `type` (a value of Kind), `authors`, `editors`, `keywords`
(lists), `journal` (also a newspaper, or the book or proceedings that hold a part), `year` (a
number), `date`, `volume`, `issue`, `pages`, `doi`, `issn`, `isbn`, `publisher`, `place`, `edition`,
`institution`, `number` (of a patent, standard or report), `language`, `url` and `note` (texts).
"""

from collections.abc import Mapping
from enum import StrEnum

from services.common.fields.values import FieldValue

LISTS = ("authors", "editors", "keywords")
_TEXTS = "date volume issue pages doi issn isbn publisher place edition institution number"
TEXTS = ("journal", *_TEXTS.split(), "language", "url", "note")


class Kind(StrEnum):
    """The kind of work that a reference stands for; the value of its field `type`."""

    ARTICLE = "article"
    BOOK = "book"
    CHAPTER = "chapter"
    CONFERENCE = "conference"
    THESIS = "thesis"
    REPORT = "report"
    PATENT = "patent"
    NEWSPAPER = "newspaper"
    STANDARD = "standard"
    WEBPAGE = "webpage"
    DATASET = "dataset"
    OTHER = "other"


def kind_of(fields: Mapping[str, FieldValue]) -> Kind:
    """The kind of a document: what its `type` says, else what its other fields make likely."""
    given = fields.get("type")
    if isinstance(given, str) and given in tuple(Kind):
        return Kind(given)
    if fields.get("journal"):
        return Kind.ARTICLE
    return Kind.BOOK if fields.get("isbn") or fields.get("publisher") else Kind.OTHER


def texts_of(fields: Mapping[str, FieldValue], name: str) -> list[str]:
    """The values of a field as texts; a single value is a list of one, no value an empty one."""
    value = fields.get(name)
    if value is None or value == "":
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def text_of(fields: Mapping[str, FieldValue], name: str) -> str:
    """The value of a field as one text; empty without one."""
    return "; ".join(texts_of(fields, name))
