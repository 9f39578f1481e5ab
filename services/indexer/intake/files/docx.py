"""Reads DOCX by python-docx: paragraphs and tables in their order, headings by their styles.

Pages are those at which Word last broke the text; a file that Word has not laid out has none.
Footnotes, comments and text boxes are not read.
"""

import re
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import docx
from docx.document import Document as WordDocument
from docx.opc.exceptions import PackageNotFoundError
from docx.table import Table
from docx.text.paragraph import Paragraph

from services.indexer.intake.files.extracted import PAGE_BREAK, Extracted, Unreadable
from services.indexer.intake.files.structure import complete, is_title, names_in, title_of

_HEADING = re.compile(r"(?:heading|标题)\s*(\d)", re.IGNORECASE)
_TITLES = ("title", "标题")
_OLE = b"\xd0\xcf\x11\xe0"


def read_docx(path: Path) -> Extracted:
    """The document of a DOCX file. Raises Unreadable."""
    with path.open("rb") as stream:
        if stream.read(4) == _OLE:
            raise Unreadable(
                "is encrypted, or an old Word file (.doc); remove the password or save it as .docx"
            )
    try:
        with ZipFile(path) as package:
            if "word/document.xml" not in package.namelist():
                raise Unreadable("is an Office file, but no Word document")
        document = docx.Document(str(path))
    except (BadZipFile, PackageNotFoundError, KeyError, ValueError):
        raise Unreadable("is damaged, or no Word document") from None
    paragraphs, title = _paragraphs(document)
    body = "\n\n".join(paragraphs).replace(f"\n\n{PAGE_BREAK}", PAGE_BREAK)
    if not body.strip():
        raise Unreadable("holds no text; images in it are not read")
    noted = document.core_properties
    first = next(text for text in paragraphs if text.strip())
    headings = [text.lstrip("# ") for text in paragraphs if text.startswith("# ")]
    candidates = [title, noted.title if is_title(noted.title) else "", *headings[:1], first]
    found = Extracted(title=title_of(candidates), body=body)
    if pages := body.count(PAGE_BREAK):
        found.fields["page_count"] = pages + 1
    if authors := names_in(noted.author, body[:2_000]):
        found.fields["authors"] = authors  # type: ignore[assignment]
    return complete(found)


def _paragraphs(document: WordDocument) -> tuple[list[str], str]:
    """The blocks of the text, with a page break before the first one of a page, and the title."""
    blocks: list[str] = []
    title = ""
    styles = {style.style_id: style.name or "" for style in document.styles}
    for item in document.iter_inner_content():
        if isinstance(item, Table):
            blocks.append(_table(item))
            continue
        text = item.text.strip()
        if item.contains_page_break and blocks:
            blocks.append(PAGE_BREAK + _block(item, text, styles))
        elif text:
            blocks.append(_block(item, text, styles))
        style = styles.get(_style_id(item), "").lower()
        if text and not title and style in _TITLES:
            title = text
    return [block for block in blocks if block], title


def _block(paragraph: Paragraph, text: str, styles: dict[str, str]) -> str:
    name = styles.get(_style_id(paragraph), "")
    match = _HEADING.fullmatch(name)
    if not text:
        return ""
    if match or name.lower() in _TITLES:
        level = int(match[1]) if match else 1
        return f"{'#' * max(1, min(level, 6))} {' '.join(text.split())}"
    return text


def _style_id(paragraph: Paragraph) -> str:
    properties = paragraph._p.pPr  # noqa: SLF001 - `paragraph.style` looks through all styles
    style = None if properties is None else properties.pStyle
    return "" if style is None else str(style.val)


def _table(table: Table) -> str:
    """The rows of a table, one on each line; a cell that spans columns is written once."""
    lines = []
    for row in table._tbl.tr_lst:  # noqa: SLF001 - `table.rows` is quadratic in the cells
        cells = [" ".join(part.text for part in cell.p_lst).strip() for cell in row.tc_lst]
        if any(cells):
            lines.append(" | ".join(cells))
    return "\n".join(lines)
