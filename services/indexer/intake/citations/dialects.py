"""The tagged formats: RIS, EndNote, NoteExpress, CNKI and PubMed's nbib."""

import re
from collections.abc import Mapping
from typing import Any

from services.common.citations.reference import LISTS, Kind
from services.common.wire.input_formats import InputFormat
from services.indexer.intake.citations import names
from services.indexer.intake.citations.tagged import Dialect, Values
from services.indexer.intake.citations.values import reference_values

Members = dict[str, list[str]]

_SEPARATORS = re.compile(r"[;；\n]+")
_WHICH = re.compile(
    r"(?<!\s)\s*\((?:[ep]-?)?(?:ISSN|ISBN|print|online|electronic|linking)\)\s*$", re.IGNORECASE
)
"""What some programs write behind a number. A pattern that begins with spaces is looked for at the
first one of them only; else the time would grow with the square of their number."""
_AUTHOR = re.compile(r"(?<!\s)\s*%A ")
_RECORD_NUMBER = re.compile(r"\d{1,6}")
"""The number of a record in a library, which is shorter than those of catalogues."""


def _gathered(values: Values, meant: Mapping[str, str]) -> Members:
    """The values of an entry by the members that their tags stand for; other tags are left out."""
    members: Members = {}
    for tag, value in values:
        if (name := meant.get(tag)) and value:
            members.setdefault(name, []).append(value)
    return members


def _split(members: Members, *lists: str) -> None:
    """Divides values that hold a whole list."""
    for name in lists:
        if name in members:
            members[name] = [
                part for value in members[name] for part in _SEPARATORS.split(value) if part.strip()
            ]


def _pages(members: Members) -> None:
    """Joins the first and the last page to one text."""
    first, last = members.pop("first_page", []), members.pop("last_page", [])
    if first:
        span = [first[0], *(last[:1] if last and last[0] != first[0] else [])]
        members["pages"] = ["-".join(span)]


def _numbers(members: Members) -> None:
    """Tells ISBN from ISSN among the numbers of a serial or a book."""
    for value in members.pop("serial", []):
        for part in _SEPARATORS.split(value):
            part = _WHICH.sub("", part).strip()
            digits = re.sub(r"[^0-9Xx]", "", part)
            name = "isbn" if len(digits) in (10, 13) else "issn"
            members.setdefault(name, []).append(part)


def _ris(values: Values) -> dict[str, Any]:
    members = _gathered(values, names.RIS_NAMES)
    given = dict(reversed(values))
    members["journal"] = (members.get("journal") or members.pop("short_journal", []))[:1]
    # A tag for all of them, where others have one for each.
    _split(members, *(name for name in LISTS if len(members.get(name, ())) == 1))
    _pages(members)
    _numbers(members)
    kind = names.RIS_KINDS.get(given.get("TY", "").upper(), Kind.OTHER)
    if kind is Kind.BOOK and not members.get("title"):
        members["title"] = members.pop("journal")  # The title of a book may stand in BT.
    return reference_values(kind, members, _own_id(values))


def _own_id(values: Values) -> str:
    """The id that an entry of RIS states; empty for a number that counts the records of a library.

    EndNote writes such a number among the last tags, where an export of a collection has the id
    first. Records of another library have the same numbers and would replace each other.
    """
    places = (place for place, (tag, _) in enumerate(values) if tag == "ID")
    place = next(places, None)
    if place is None:
        return ""
    identity = values[place][1]
    return "" if place > 1 and _RECORD_NUMBER.fullmatch(identity) else identity


def _endnote(values: Values) -> dict[str, Any]:
    # CNKI writes all authors into one line, each behind a tag.
    apart = [
        (tag, one)
        for tag, value in values
        for one in (_AUTHOR.split(value) if tag == "A" else [value])
    ]
    return _as_endnote(apart, names.ENDNOTE_NAMES, kind="0", identity="F")


def _noteexpress(values: Values) -> dict[str, Any]:
    return _as_endnote(
        values, names.NOTEEXPRESS_NAMES, kind="Reference Type", identity="Accession Number"
    )


def _as_endnote(
    values: Values, tags: Mapping[str, str], *, kind: str, identity: str
) -> dict[str, Any]:
    """The values of an entry in EndNote's terms. `kind` and `identity` are the tags that hold the
    kind of work and the id."""
    members = _gathered(values, tags)
    given = dict(reversed(values))
    members["journal"] = members.get("journal", [])[:1]
    _split(members, *LISTS)
    _numbers(members)
    found = names.ENDNOTE_KINDS.get(given.get(kind, "").lower(), Kind.OTHER)
    return reference_values(found, members, given.get(identity, ""))


def _cnki(values: Values) -> dict[str, Any]:
    members = _gathered(values, names.CNKI_NAMES)
    given = dict(reversed(values))
    members["journal"] = members.get("journal", [])[:1]
    # Some exports have the pages under this name, others the number of pages beside them.
    members.setdefault("pages", members.pop("page_count", []))
    _split(members, "keywords", "authors", "editors", "institution")
    source = given.get("SrcDatabase", "")
    kinds = (kind for name, kind in names.CNKI_KINDS.items() if name in source)
    return reference_values(next(kinds, Kind.OTHER), members, given.get("Id", ""))


def _nbib(values: Values) -> dict[str, Any]:
    members = _gathered(values, names.NBIB_NAMES)
    given = dict(reversed(values))
    if "authors" not in members:
        members["authors"] = [value for tag, value in values if tag in ("AU", "CN")]
    if "keywords" not in members:
        members["keywords"] = [value.lstrip("*") for tag, value in values if tag == "MH"]
    for name in ("journal", "issn"):
        members[name] = [re.sub(r" \((?:\w+)\)$", "", each) for each in members.get(name, [])[:1]]
    members["doi"] = [
        value.removesuffix("[doi]")
        for tag, value in values
        if "[doi]" in value and tag in ("LID", "AID")
    ]
    members["number"] = [value for tag, value in values if tag == "RN"]
    members["year"] = [value for tag, value in values if tag == "DP"]
    kinds = [value.lower() for tag, value in values if tag == "PT"]
    kind = next((names.NBIB_KINDS[each] for each in kinds if each in names.NBIB_KINDS), Kind.OTHER)
    return reference_values(kind, members, given.get("PMID", ""))


_CNKI_TAGS = "|".join(sorted({*names.CNKI_NAMES, *names.CNKI_OTHERS}, key=len, reverse=True))

DIALECTS: dict[InputFormat, Dialect] = {
    InputFormat.RIS: Dialect(
        "RIS",
        re.compile(r"(?P<tag>[A-Z][A-Z0-9])  - ?(?P<value>.*)"),
        _ris,
        start="TY",
        end="ER",
        preface=re.compile(r"(?:Provider|Database|Content)\s*:"),
    ),
    InputFormat.ENDNOTE: Dialect(
        "EndNote", re.compile(r"%(?P<tag>\S)(?P<value> .*|)$"), _endnote, start="0", once="T"
    ),
    InputFormat.NOTEEXPRESS: Dialect(
        "NoteExpress",
        re.compile(r"\{(?P<tag>[A-Z][A-Za-z/ ]+)\}: ?(?P<value>.*)"),
        _noteexpress,
        start="Reference Type",
        once="Title",
    ),
    InputFormat.CNKI: Dialect(
        "CNKI",
        re.compile(
            rf"(?P<tag>(?:{_CNKI_TAGS})(?=[-:：])|[A-Z][A-Za-z_]*(?=-[\u4e00-\u9fff]))"
            r"(?:-[^:：\s]+)?[:：] ?(?P<value>.*)"
        ),
        _cnki,
        once="Title",
    ),
    InputFormat.NBIB: Dialect(
        "nbib",
        re.compile(r"(?=.{4}-)(?P<tag>[A-Z]{2,4}) *- ?(?P<value>.*)"),
        _nbib,
        start="PMID",
        once="TI",
        joint=" ",
    ),
}
"""Formats of citations in which each line begins with a tag."""
