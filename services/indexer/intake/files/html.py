"""Reads HTML by lxml: the main text with its headings, and the page's own description of it."""

import re
from pathlib import Path
from typing import Any

from lxml import etree, html

from services.common.wire.input_formats import Charset
from services.indexer.intake.citations.values import doi_of
from services.indexer.intake.files.extracted import Extracted, Unreadable
from services.indexer.intake.files.plain import decoded
from services.indexer.intake.files.structure import complete, title_of

_LEFT_OUT = (
    "script", "style", "noscript", "template", "nav", "footer", "aside", "form", "button", "svg",
    "iframe", "select", "head",
)  # fmt: skip
_BLOCKS = frozenset(
    (
        *("address", "article", "blockquote", "body", "caption", "dd", "details", "div", "dl"),
        *("dt", "fieldset", "figcaption", "figure", "header", "hr", "li", "main", "ol", "p"),
        *("pre", "section", "summary", "table", "tbody", "td", "th", "thead", "tfoot", "tr", "ul"),
    )
)
_MAIN = "//article | //main | //*[@role='main']"
_LEAST_MAIN = 0.4
"""Share of a page's text from which on its marked part counts as the whole text."""
_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)")


def read_html(path: Path, charset: Charset | None) -> Extracted:
    """The document of an HTML file. Raises Unreadable."""
    content = path.read_bytes()
    text = decoded(content, charset) if charset else _decoded(content)
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True)
    try:
        page = html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.LxmlError, ValueError):
        raise Unreadable("holds no text") from None
    if any(error.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for error in parser.error_log):
        raise Unreadable(
            "has elements within each other more than 2,000 deep, as where none is closed, and what"
            " is deeper cannot be read; save it as text"
        )
    about = _Meta(page)
    titles = [*about.all("citation_title", "dc.title", "og:title"), *page.xpath("//title//text()")]
    etree.strip_elements(page, *_LEFT_OUT, with_tail=False)
    body = _text(_main(page))
    if not body:
        raise Unreadable("holds no text")
    headings = [line.lstrip("# ") for line in body.splitlines() if line.startswith("# ")]
    found = Extracted(title=title_of([*about.all("citation_title"), *headings[:1], *titles]))
    found.body = body
    found.abstract = next(iter(about.all("citation_abstract", "dc.description")), "")
    _fields(found, about)
    return complete(found)


class _Meta:
    """The `meta` elements of a page."""

    def __init__(self, page: Any) -> None:
        self._values: dict[str, list[str]] = {}
        for element in page.iter("meta"):
            name = (element.get("name") or element.get("property") or "").lower()
            value = " ".join((element.get("content") or "").split())
            if name and value:
                self._values.setdefault(name.replace("dcterms.", "dc."), []).append(value)

    def all(self, *names: str) -> list[str]:
        """The values of the first of these names that has any; empty without one."""
        return next((self._values[name] for name in names if name in self._values), [])


def _fields(found: Extracted, about: _Meta) -> None:
    """Adds the fields that pages of publishers name for search engines."""
    if authors := about.all("citation_author", "dc.creator"):
        found.fields["authors"] = list(dict.fromkeys(authors))
    if journals := about.all("citation_journal_title"):
        found.fields["journal"] = journals[0]
    dates = about.all("citation_publication_date", "citation_date", "citation_year", "dc.date")
    if year := _YEAR.search(" ".join(dates)):
        found.fields["year"] = int(year[0])
    if doi := doi_of(" ".join(about.all("citation_doi", "dc.identifier"))):
        found.fields["doi"] = doi
    words = [part for each in about.all("citation_keywords") for part in re.split("[;；]", each)]
    if words := [word.strip() for word in words if word.strip()]:
        found.fields["keywords"] = words


def _decoded(content: bytes) -> str:
    """The text of a page: in UTF-8 if it is that, since pages are converted with a declaration that
    says otherwise; else in the charset that it declares, else in the one that is recognised. Raises
    Unreadable."""
    for charset in (Charset.UTF8, _declared(content)):
        try:
            if charset:
                return decoded(content, charset)
        except Unreadable:
            continue
    return decoded(content, None)


def _declared(content: bytes) -> Charset | None:
    """The charset that the page names, if it is a known one."""
    match = _DECLARED.search(content[:4_096])
    try:
        return Charset(match[1].decode()) if match else None
    except ValueError:
        return None


def _main(page: Any) -> Any:
    """The part that the page marks as its text, if it holds enough of it."""
    whole = max(1, len("".join(page.itertext())))
    parts = [
        part for part in page.xpath(_MAIN) if not any(True for _ in part.iterancestors("article"))
    ]
    best = max(parts, key=lambda part: len("".join(part.itertext())), default=page)
    return best if len("".join(best.itertext())) >= _LEAST_MAIN * whole else page


def _text(root: Any) -> str:
    """The paragraphs of an element, headings and items of lists marked as in Markdown."""
    blocks: list[str] = []
    words: list[str] = []

    def close(mark: str = "") -> None:
        text = "".join(words)
        words.clear()
        lines = [" ".join(line.split()) for line in text.split("\n")]
        text = "\n".join(line for line in lines if line)
        if text:
            blocks.append(mark + (text.replace("\n", " ") if mark else text))

    for event, element in etree.iterwalk(root, events=("start", "end")):
        tag = element.tag if isinstance(element.tag, str) else ""
        heading = len(tag) == 2 and tag[0] == "h" and tag[1] in "123456"
        preformatted = tag == "pre" or any(True for _ in element.iterancestors("pre"))
        if event == "start":
            if tag in ("td", "th") and any(word.strip() for word in words):
                words.append(" | ")
            elif heading or (tag in _BLOCKS and tag not in ("td", "th")):
                close()
            if tag == "br":
                words.append("\n")
            given = element.text or ""
        else:
            if heading:
                close("#" * int(tag[1]) + " ")
            elif tag in _BLOCKS and tag not in ("td", "th"):
                close("- " if tag == "li" else "")
            given = "" if element is root else element.tail or ""
            preformatted = any(True for _ in element.iterancestors("pre"))
        words.append(given if preformatted else re.sub(r"\s+", " ", given))
    close()
    return "\n\n".join(blocks)
