"""Finds the cells of an XLSX workbook that hold something and have no value: formulas that no
program has computed yet, and errors such as #N/A. The reader of rows takes them for empty cells."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import BadZipFile, ZipFile

from lxml import etree

_TAG = rb"<(?:\w+:)?"
_FAULT = re.compile(
    _TAG + rb"""c\s(?P<error>[^<>]*\bt=["']e["'][^<>]*)>"""
    rb"|" + _TAG + rb"c\s(?P<formula>[^<>]*)>\s*"
    + _TAG + rb"f\b(?:[^<>]*/>|[^<>]*>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:" + _TAG + rb"v\s*(?:/>|>\s*</(?:\w+:)?v>)\s*)?</"
)  # fmt: skip
"""A cell with an error, or one with a formula and no value. A parser takes as long as the reading
of the rows, of which a workbook has up to a million."""
_TEXT = re.compile(rb"""\bt=["'](?!n["'])""")
"""Kind of a formula whose value is a text, which may be empty."""
_REFERENCE = re.compile(rb"""\br=["']([A-Z]{1,3})(\d{1,7})["']""")
_BLOCK_BYTES, _KEPT_BYTES = 1 << 20, 1 << 16
"""Number of bytes that are read at a time, and the most that one cell has of them."""
_BOOK, _RELATIONS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"


@dataclass(frozen=True, slots=True)
class Area:
    """The cells of a sheet that are read."""

    sheet: str
    above: int
    """Number of the last row of the header; the rows below it are read."""
    columns: range
    """The columns that have names, from 0."""


@dataclass(slots=True)
class _Count:
    cells: int = 0
    first: str = ""

    def add(self, reference: str) -> None:
        self.cells += 1
        self.first = self.first or reference

    def told(self, one: str, more: str, sheet: str) -> str:
        many = self.cells > 1
        what = f"{self.cells:,} {more}" if many else f"1 {one}"
        place = f"the first in {self.first}" if many else f"in {self.first}"
        return f"holds {what} in the sheet {sheet}, {place}"


def faults(path: Path, areas: list[Area]) -> Iterator[str]:
    """Sentences without a subject on such cells in these areas; none for a workbook of the old
    format, whose formulas have values."""
    try:
        with ZipFile(path) as book:
            parts = _parts(book)
            for area in areas:
                if area.sheet in parts:
                    yield from _faults(book, parts[area.sheet], area)
    except (BadZipFile, KeyError, OSError, ValueError, zlib.error, etree.XMLSyntaxError):
        return  # The rows were read all the same.


def _parts(book: ZipFile) -> dict[str, str]:
    """The names of the XML files of the sheets."""
    targets = {
        relation.get("Id"): str(PurePosixPath("xl") / relation.get("Target")).lstrip("/")
        for relation in etree.fromstring(book.read(_RELATIONS), _parser()).iter("{*}Relationship")
    }
    return {
        sheet.get("name"): targets[key]
        for sheet in etree.fromstring(book.read(_BOOK), _parser()).iter("{*}sheet")
        for name, key in sheet.items()
        if name.endswith("}id") and key in targets
    }


def _faults(book: ZipFile, part: str, area: Area) -> Iterator[str]:
    formulas, errors = _Count(), _Count()
    with book.open(part) as stream:
        for kind, attributes in _found(stream):
            place = _REFERENCE.search(attributes)
            if place is None or int(place[2]) <= area.above:
                continue
            if _column(place[1].decode()) in area.columns:
                (errors if kind == "error" else formulas).add((place[1] + place[2]).decode())
    if formulas.cells:
        told = formulas.told(
            "formula without a stored value", "formulas without a stored value", area.sheet
        )
        yield f"{told}; they were read as empty cells. Open the workbook in Excel and save it"
    if errors.cells:
        told = errors.told("error such as #N/A", "errors such as #N/A", area.sheet)
        yield f"{told}; they were read as empty cells"


def _found(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """The attributes of the cells that have an `error`, or a `formula` and no value."""
    xml = b""
    while block := stream.read(_BLOCK_BYTES):
        xml += block
        end = 0
        for match in _FAULT.finditer(xml):
            end = match.end()
            if match["error"] is not None:
                yield "error", match["error"]
            elif not _TEXT.search(match["formula"]):
                yield "formula", match["formula"]
        xml = xml[max(end, len(xml) - _KEPT_BYTES) :]


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False)


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
