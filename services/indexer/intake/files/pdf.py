"""Reads PDF by PDFium: text by pages, the outline as headings, the text in the largest letters as
title."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
from pypdfium2 import raw

from services.indexer.intake.files.extracted import PAGE_BREAK, Extracted, Unreadable
from services.indexer.intake.files.layout import bare, pages_of
from services.indexer.intake.files.ocr import MOST_PAGES, NotRecognised, Ocr, png
from services.indexer.intake.files.structure import complete, is_title, names_in, title_of

_FEW_CHARACTERS = 8
"""Number of characters from which on a page counts as text and not as an image with a stamp or page
number."""
_NAMELESS = 0.3
"""Share of characters without a meaning from which on a text counts as illegible."""
_DOTS_PER_INCH = 200
"""Resolution of the image of a page that is recognised."""
_MOST_PIXELS = 20_000_000
"""Most pixels of such an image; a larger page is drawn in a lower resolution."""
_LOOKED_AT = 3_000
"""Number of characters of the first page in which the title is looked for."""
_SAME_SIZE = 0.5
"""Difference in points up to which letters have one size."""


def read_pdf(path: Path, ocr: Ocr | None) -> Extracted:
    """The document of a PDF file; with `ocr` the text of scanned pages is recognised. Raises
    Unreadable."""
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            raise Unreadable("is encrypted; remove the password and send it again") from None
        raise Unreadable("is damaged, or no PDF") from None
    pages = [_page_text(document, number) for number in range(len(document))]
    if not pages:
        raise Unreadable("is a PDF without pages")
    recognised, failure = _recognise(document, pages, ocr) if ocr else (0, "")
    texts = [text for text in pages if text is not None]
    if not texts:
        raise Unreadable("is damaged: none of its pages can be read")
    first = document[pages.index(texts[0])]
    empty = sum(map(_is_empty, texts))
    if empty == len(texts):
        if failure:
            raise Unreadable(f"is scanned, and {failure}")
        if ocr:
            raise Unreadable("holds no text on any page, and none was recognised")
        raise Unreadable(_without_text(first, len(pages)))
    if _nameless(texts) > _NAMELESS:
        raise Unreadable(
            "holds text in fonts that do not say which characters they show; recognise the text"
            " (OCR) and send the result"
        )
    flowing = pages_of([(text or "").splitlines() for text in pages], _outline(document))
    noted = document.get_metadata_dict()
    found = Extracted(
        title=_title(first, noted.get("Title", ""), texts[0]),
        body=PAGE_BREAK.join(flowing),
        fields={"page_count": len(pages)},
    )
    if without := empty + len(pages) - len(texts):
        found.fields["pages_without_text"] = without
    if recognised:
        found.fields["pages_recognised"] = recognised
    if authors := names_in(noted.get("Author", ""), texts[0]):
        found.fields["authors"] = authors  # type: ignore[assignment]
    return complete(found)


def _page_text(document: Any, number: int) -> str | None:
    """The text of a page; None if the page is damaged."""
    try:
        page = document[number]
        text = page.get_textpage()
        content: str = text.get_text_bounded(errors="replace")
    except pdfium.PdfiumError:
        return None
    text.close()
    page.close()
    return _printable(content)


def _printable(text: str) -> str:
    """The text without control characters and halves of characters."""
    return re.sub(r"[\x00\x01\x03-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", "", text)


def _is_empty(text: str) -> bool:
    """Whether a page has no text, or so little that it is a stamp or a page number on an image."""
    return len(text.strip()) < _FEW_CHARACTERS


def _recognise(document: Any, pages: list[str | None], ocr: Ocr) -> tuple[int, str]:
    """Fills pages without text with the text that is recognised in their images.

    Returns the number of these pages, and the reason why others were left out; empty if none were.
    """
    scanned = [at for at, text in enumerate(pages) if text is not None and _is_empty(text)]
    recognised = 0
    for at in scanned[:MOST_PAGES]:
        page = document[at]
        if not _has_image(page):
            continue
        width, height = page.get_size()
        scale = min(_DOTS_PER_INCH / 72, math.sqrt(_MOST_PIXELS / (width * height)))
        bitmap = page.render(scale=scale, grayscale=True)
        image = png(bitmap.width, bitmap.height, bitmap.stride, bytes(bitmap.buffer))
        bitmap.close()
        page.close()
        try:
            text = _printable(ocr.text(image))
        except NotRecognised as error:
            return recognised, f"the program that recognises text {error} (page {at + 1})"
        if not _is_empty(text):
            pages[at] = text
            recognised += 1
    return recognised, ""


def _has_image(page: Any) -> bool:
    kinds = (raw.FPDF_PAGEOBJ_IMAGE,)
    return any(True for _ in page.get_objects(filter=kinds, max_depth=3))


def _without_text(first: Any, pages: int) -> str:
    what = f"its {pages:,} pages are images" if pages > 1 else "its only page is an image"
    if _has_image(first):
        return f"is scanned: {what} without text; recognise the text (OCR) and send the result"
    return "holds no text on any page"


def _nameless(texts: list[str]) -> float:
    """Share of the characters that have no meaning which can be searched."""
    everything = "".join(texts)
    bad = sum(char == "\ufffd" or "\ue000" <= char <= "\uf8ff" for char in everything)
    return bad / max(1, len(everything))


def _outline(document: Any) -> dict[str, int]:
    """The level of each heading that the outline names, from 1 on."""
    try:
        return {
            bare(item.get_title()): min(item.level + 1, 6)
            for item in document.get_toc(max_depth=6)
            if bare(item.get_title())
        }
    except pdfium.PdfiumError:
        return {}


def _title(page: Any, noted: str, text: str) -> str:
    """The title that the file names if the text of its first page shows it, else what stands there
    in the largest letters."""
    if is_title(noted) and bare(noted) in bare(text):
        return title_of([noted])
    lines = [line for line in text.splitlines() if line.strip()]
    return title_of([*_largest(page), noted, *lines[:3]])


def _largest(first: Any) -> Iterator[str]:
    """Texts of a page in one size of letters, the largest size first."""
    page = first.get_textpage()
    runs: dict[float, list[str]] = {}
    size = 0.0
    for place in range(min(page.count_chars(), _LOOKED_AT)):
        char = chr(raw.FPDFText_GetUnicode(page, place))
        if char in "\r\n":
            if size:
                runs[size].append(" ")
            continue
        if not char.isspace():
            measured = float(raw.FPDFText_GetFontSize(page, place))
            same = next((each for each in runs if abs(each - measured) < _SAME_SIZE), measured)
            size = same
        runs.setdefault(size, []).append(char)
    for each in sorted(runs, reverse=True):
        text = re.sub(r"\s+", " ", _joined("".join(runs[each]))).strip()
        yield re.sub(r"(?<=[\u2e80-\uffff]) (?=[\u2e80-\uffff])", "", text)
    page.close()


def _joined(text: str) -> str:
    """The text with the halves put together in which PDFium gives rare characters, such as 𠮷."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
