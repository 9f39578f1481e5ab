"""Recognises files of other programs by their beginnings, and says how to index them."""

import re

from services.common.errors import UnsupportedFormat
from services.common.wire.input_formats import InputFormat
from services.indexer.intake.citations.dialects import DIALECTS
from services.indexer.intake.citations.names import CNKI_NAMES, CNKI_OTHERS

_OLE = b"\xd0\xcf\x11\xe0"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_MAGIC: dict[InputFormat, tuple[bytes, ...]] = {
    InputFormat.PARQUET: (b"PAR1",),
    InputFormat.PDF: (b"%PDF",),
    InputFormat.DOCX: (*_ZIP, _OLE),
    InputFormat.XLSX: (*_ZIP, _OLE),
    InputFormat.XLS: (_OLE, *_ZIP),
    InputFormat.ZIP: _ZIP,
}
"""First bytes of files in binary formats. An encrypted Office file begins as an old one does."""
_PDF_WITHIN = 1024
"""Number of first bytes among which a PDF may begin."""
_KNOWN = {
    b"PAR1": "Parquet",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive or an Office file",
    b"PK\x05\x06": "an empty zip archive",
    _OLE: "an old or an encrypted Office file",
    b"BZh": "bzip2, which is not supported; use gzip or zstd",
    b"\xfd7zXZ": "xz, which is not supported; use gzip or zstd",
    b"Rar!": "a RAR archive, which is not supported; use zip",
    b"7z\xbc\xaf": "a 7z archive, which is not supported; use zip",
    b"{\\rtf": "RTF; save it as plain text or DOCX",
}
_MARKUP = {b"<html": "HTML", b"<!doctype": "HTML", b"<?xml": "XML"}
"""Beginnings of files that are no input, with small letters and without a mark and white space."""
_WORKBOOKS = (InputFormat.XLSX, InputFormat.XLS)
_OPENED = (
    " Many systems write tables under such a name that are pages or texts. Open it in Excel and"
    " save it as .xlsx."
)
"""Advice on a file that Excel opens although it is no workbook."""
_TAGGED: dict[str, tuple[str, InputFormat | None]] = {
    "RIS": (r"^(?:TY|A1|AU|T1|TI|PY|JO|AB|ER|ID) {2}- ", InputFormat.RIS),
    "BibTeX": (r"^\s*@\w+\s*[{(]", InputFormat.BIBTEX),
    "EndNote": (r"^%[0A-Z@] ", InputFormat.ENDNOTE),
    "NoteExpress": (
        r"^\{[A-Z][A-Za-z/ ]+\}: ",
        InputFormat.NOTEEXPRESS,
    ),
    "RefWorks": (
        r"^(?:RT (?:Journal|Book|Thesis|Conference|Generic)|SR \d+|A1 |T1 |JF |YR )",
        None,
    ),
    "Web of Science": (r"^(?:FN |VR |PT [JBSP]$|AU |TI |SO |ER$)", None),
    "CNKI": (
        rf"^(?:{'|'.join([*CNKI_NAMES, *CNKI_OTHERS])})-\S+[:：]",
        InputFormat.CNKI,
    ),
    "PubMed": (
        r"^(?:PMID|OWN |STAT|LR  |DP  |TI  |AB  |FAU |AU  |LA  |PT  |JT  |TA  )- ",
        InputFormat.NBIB,
    ),
}
"""Exports of reference managers: a line that only such a file has, and the format that reads it."""
CITATIONS = (InputFormat.BIBTEX, *DIALECTS)
"""Formats of exports of reference managers."""
_TAGGED_LINES = 3
"""Number of lines with a tag from which on a text counts as such an export."""
_SAMPLED = 100
"""Number of lines at the beginning that are looked at."""


def check_magic(plain: bytes, declared: InputFormat) -> None:
    """Raises UnsupportedFormat for a file whose first bytes are those of another kind of file."""
    magic = _MAGIC.get(declared, ())
    head = plain[:_PDF_WITHIN] if declared is InputFormat.PDF else plain[:4]
    if magic and any(each in head for each in magic):
        return
    begun = plain[:256].removeprefix(b"\xef\xbb\xbf").lstrip()
    found = next((name for each, name in _KNOWN.items() if begun.startswith(each)), "")
    if not found and not declared.whole:
        lowered = begun.lower()
        found = next((name for each, name in _MARKUP.items() if lowered.startswith(each)), "")
    if found or magic:
        text = not found or found in _MARKUP.values()
        raise UnsupportedFormat(
            f"The input is {found or f'not {declared}'}, but `format` or the name of the file says"
            f" {declared}.{_OPENED if text and declared in _WORKBOOKS else ''}"
        )


def export_of(head: bytes) -> InputFormat | None:
    """The format of citations that a text seems to be in; None if it is an ordinary text."""
    lines = [line.decode("utf-8", "replace") for line in head.splitlines()[:_SAMPLED] if line]
    for pattern, read_as in _TAGGED.values():
        tagged = sum(bool(re.match(pattern, line)) for line in lines)
        if read_as and tagged >= _TAGGED_LINES and 2 * tagged >= len(lines):
            return read_as
    return None


def check_tagged(text: bytes, declared: InputFormat) -> None:
    """Raises UnsupportedFormat if the declaration and the text do not agree on an export of
    citations.

    That is an export of a reference manager that is declared to be something else, or a text that
    is declared to be an export and is none.
    """
    lines = [line.decode("utf-8", "replace") for line in text.splitlines()[:_SAMPLED] if line]
    if declared in CITATIONS and (not lines or _has_entry(lines, declared)):
        return
    for name, (pattern, read_as) in _TAGGED.items():
        tagged = sum(bool(re.match(pattern, line)) for line in lines)
        bibtex = read_as is InputFormat.BIBTEX
        if tagged < min(_TAGGED_LINES, len(lines)) and not bibtex:
            continue
        if (tagged and 2 * tagged >= len(lines)) or (bibtex and tagged):
            way = (
                f"Declare format={read_as}, or end the file's name in {read_as.suffixes[0]}."
                if read_as
                else "Export it as RIS, which is read."
            )
            raise UnsupportedFormat(
                f"The input is an export in {name} format, of which format={declared} would make a"
                f" document of each tag. {way}"
            )
    if declared in CITATIONS:
        raise UnsupportedFormat(
            f"The input does not look like {declared}: none of its first lines is one of an entry."
        )


def _has_entry(lines: list[str], declared: InputFormat) -> bool:
    """Whether any line could be of an entry of the declared format."""
    if declared is InputFormat.BIBTEX:
        return any("@" in line for line in lines)
    return any(DIALECTS[declared].line.match(line.removeprefix("\ufeff")) for line in lines)
