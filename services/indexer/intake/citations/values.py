"""Makes the values of a document from the members of an entry."""

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from services.common.citations.reference import LISTS, TEXTS, Kind
from services.common.text.normalise import normalise

_ID_BYTES = 12
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DOI = re.compile(r"10\.\d{4,9}/\S+")


def doi_of(text: str) -> str:
    """The DOI in a text, without an address before it and in lower case; empty if there is none."""
    found = _DOI.search(text)
    return found[0].rstrip(".,;").lower() if found else ""


def reference_id(given: str, doi: str, title: str, year: object) -> str:
    """The id of a reference: its own, else its DOI, else a digest of its title and year.

    The title counts without spaces, signs and the difference of Traditional and Simplified.
    """
    if given or doi:
        return given or doi
    bare = re.sub(r"[\W_]+", "", normalise(title).lower())
    if not bare:
        return ""
    return f"ref-{blake2b(f'{bare} {year}'.encode(), digest_size=_ID_BYTES).hexdigest()}"


def reference_values(
    kind: Kind, members: Mapping[str, Sequence[str]], given_id: str = ""
) -> dict[str, Any]:
    """The values of a document from the members of a reference.

    Members are named as the fields, with `title` and `text` beside them, each with all its values.
    Several values are joined with `; ` if only one is possible.
    """
    values: dict[str, Any] = {"type": kind.value}
    for name in LISTS:
        if items := [item.strip() for item in members.get(name, ()) if item.strip()]:
            values[name] = list(dict.fromkeys(items))
    for name in ("title", "text", *TEXTS):
        items = list(dict.fromkeys(item.strip() for item in members.get(name, ()) if item.strip()))
        if items:
            values[name] = items[0] if name in ("title", "text", "doi") else "; ".join(items)
    if doi := doi_of(values.get("doi", "")):
        values["doi"] = doi
    _date(values, [item.strip() for item in members.get("year", ()) if item.strip()])
    identity = reference_id(given_id.strip(), doi, values.get("title", ""), values.get("year", ""))
    return {"id": identity, **values} if identity else values


_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_SLASHED = re.compile(r"(\d{4})/(\d{0,2})(?:/(\d{0,2})(?:/(.*))?)?")
"""A date as RIS writes it: year, month, day and other words, each of which may be missing."""
_SPELLED = re.compile(rf"(\d{{4}}) ({'|'.join(MONTHS)})(?: (\d{{1,2}}))?", re.IGNORECASE)
"""A date as PubMed writes it: `2019 May 12`."""


def _date(values: dict[str, Any], years: list[str]) -> None:
    """Stores the year as a number; the rest of a year or date stays as `date`."""
    stated = _hyphened(years[0]) if years else ""
    if "date" in values:
        values["date"] = _hyphened(values["date"])
    found = _YEAR.search(stated) or _YEAR.search(values.get("date", ""))
    if found:
        values["year"] = int(found[0])
    if stated and not re.fullmatch(r"\d{4}", stated) and "date" not in values:
        values["date"] = stated


def _hyphened(date: str) -> str:
    """A date in the form of RIS or PubMed as YYYY-MM-DD, as far as it is stated; any other text as
    it is."""
    other = ""
    if found := _SLASHED.fullmatch(date):
        year, month, day, other = (part or "" for part in found.groups())
    elif found := _SPELLED.fullmatch(date):
        year, month, day = (part or "" for part in found.groups())
        month = str(MONTHS.index(month.lower()) + 1)
    else:
        return date
    numbers = [int(month or 0), int(day or 0)]
    if numbers[0] > 12 or numbers[1] > 31 or (numbers[1] and not numbers[0]):
        return date
    written = "-".join([year, *(f"{number:02}" for number in numbers if number)])
    return f"{written} {other.strip()}".strip()
