"""Reads DOCX by python-docx: paragraphs and tables in their order, headings by their styles.

Pages are those at which Word last broke the text; a file that Word has not laid out has none.
Footnotes, comments, text boxes and deletions that are marked as such are not read. What stands in
content controls and fields, which programs for citations use, and insertions that are marked as
such are read; the library leaves them out.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import docx
from docx.document import Document as WordDocument
from docx.opc.exceptions import PackageNotFoundError
from docx.oxml.ns import qn

from services.indexer.intake.files.extracted import PAGE_BREAK, Extracted, Unreadable
from services.indexer.intake.files.structure import complete, is_title, names_in, title_of

_HEADING = re.compile(r"(?:heading|标题)\s*(\d)", re.IGNORECASE)
_TITLES = ("title", "标题")
_OLE = b"\xd0\xcf\x11\xe0"
_P, _TBL, _TR, _TC = (qn(f"w:{name}") for name in ("p", "tbl", "tr", "tc"))
_LEFT_OUT = frozenset(
    (
        *(
            qn(f"w:{name}")
            for name in ("del", "moveFrom", "txbxContent", "pict", "rt", "rPr", "pPr")
        ),
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent",
    )
)
"""Elements whose content is no text of the paragraph: deletions, text boxes, pictures, and notes on
how a word is spoken."""
_SIGNS = {
    **{qn(f"w:{name}"): "\n" for name in ("br", "cr")},
    **{qn(f"w:{name}"): "\t" for name in ("tab", "ptab")},
    qn("w:noBreakHyphen"): "-",
}
_TYPE = qn("w:type")
_TEXTS = (qn("w:t"), "{http://schemas.openxmlformats.org/officeDocument/2006/math}t")
"""Elements that hold text, that of formulas among them."""


def read_docx(path: Path) -> Extracted:
    """The document of a DOCX file. Raises Unreadable."""
    with path.open("rb") as stream:
        if stream.read(4) == _OLE:
            raise Unreadable(
                "is encrypted, or an old Word file (.doc); remove the password or save it as .docx"
            )
    try:
        document = docx.Document(str(path))
    except ValueError:  # It is a workbook or slides, by its own words.
        raise Unreadable("is an Office file, but no Word document (.docx)") from None
    except KeyError:
        raise Unreadable(
            'is damaged, or in the form "Strict Open XML"; save it as an ordinary .docx'
        ) from None
    except (BadZipFile, PackageNotFoundError):
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
    for item in _outermost(document.element.body, (_P, _TBL)):
        if item.tag == _TBL:
            blocks.append(_table(item))
            continue
        text = _text(item).strip()
        if item.lastRenderedPageBreaks and blocks:
            blocks.append(PAGE_BREAK + _block(item, text, styles))
        elif text:
            blocks.append(_block(item, text, styles))
        style = styles.get(_style_id(item), "").lower()
        if text and not title and style in _TITLES:
            title = text
    return [block for block in blocks if block], title


def _outermost(root: Any, tags: tuple[str, ...]) -> Iterator[Any]:
    """The elements of these kinds within an element, in their order, that are not within another
    one of them; content controls and marks of changes may be around them."""
    for child in root:
        if child.tag in tags:
            yield child
        elif child.tag not in _LEFT_OUT:
            yield from _outermost(child, tags)


def _text(element: Any) -> str:
    """The text of a paragraph, or of a part of it."""
    pieces = []
    for child in element:
        if child.tag in _TEXTS:
            pieces.append(child.text or "")
        elif child.tag in _SIGNS:
            # A break of the page or of the column has a type.
            pieces.append("" if child.get(_TYPE) in ("page", "column") else _SIGNS[child.tag])
        elif child.tag not in _LEFT_OUT:
            pieces.append(_text(child))
    return "".join(pieces)


def _block(paragraph: Any, text: str, styles: dict[str, str]) -> str:
    name = styles.get(_style_id(paragraph), "")
    match = _HEADING.fullmatch(name)
    if not text:
        return ""
    if match or name.lower() in _TITLES:
        level = int(match[1]) if match else 1
        return f"{'#' * max(1, min(level, 6))} {' '.join(text.split())}"
    return text


def _style_id(paragraph: Any) -> str:
    properties = paragraph.pPr
    style = None if properties is None else properties.pStyle
    return "" if style is None else str(style.val)


def _table(table: Any) -> str:
    """The rows of a table, one on each line; a cell that spans columns is written once, and a table
    in a cell as a part of it."""
    lines = []
    for row in _outermost(table, (_TR,)):
        cells = [
            " ".join(filter(None, (_text(part).strip() for part in _paragraphs_in(cell))))
            for cell in _outermost(row, (_TC,))
        ]
        if any(cells):
            lines.append(" | ".join(cells))
    return "\n".join(lines)


def _paragraphs_in(cell: Any) -> Iterator[Any]:
    for item in _outermost(cell, (_P, _TBL)):
        if item.tag == _P:
            yield item
        else:
            for row in _outermost(item, (_TR,)):
                for inner in _outermost(row, (_TC,)):
                    yield from _paragraphs_in(inner)
