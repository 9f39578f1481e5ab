"""Reads plain text and Markdown, each file as one document."""

import re
from pathlib import Path

from services.common.wire.input_formats import Charset
from services.indexer.intake.charsets import CharsetUnknown, text_of
from services.indexer.intake.files.extracted import PAGE_BREAK, Extracted, Unreadable
from services.indexer.intake.files.layout import heading_level
from services.indexer.intake.files.structure import complete, title_of

_SETEXT = re.compile(r"^(?P<text>\S[^\n]*)\n(?P<line>=+|-{3,})[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,2} +.+$", re.MULTILINE)
_MARKS = (
    (re.compile(r"^\s*(?:#{1,6}|>|[-*+])\s+"), ""),
    (re.compile(r"\s+#+\s*$"), ""),
    (re.compile(r"</?[a-zA-Z][^<>]*>"), ""),
    (re.compile(r"!?\[([^\[\]]*)\]\((?:[^()]|\([^()]*\))*\)"), r"\1"),
    (re.compile(r"(\*\*|__|~~|`+)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<!\w)([*_])(?=\S)([^*_]+)(?<=\S)\1(?!\w)"), r"\2"),
)
"""The marks of a line of Markdown, and what each leaves: those of headings, quotations and lists,
tags of HTML, links and images, and emphasis."""
_LINE_CHARS = 2_000
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_FRONT = re.compile(r"\A---[ \t]*\n(?P<members>.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_MEMBER = re.compile(r"(?P<name>[A-Za-z]+)[ \t]*:(?:[ \t]+(?P<value>.*))?$")
_ITEM = re.compile(r"\s*-[ \t]+(?:(?:name|literal)[ \t]*:[ \t]*)?(?P<value>.*)$")
_BLOCK = re.compile(r"[|>][-+0-9]*$")
"""What stands in the place of a value that follows in lines of its own."""
_YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)")


def read_text(path: Path, charset: Charset | None) -> Extracted:
    """The document of a plain text; form feeds in it separate pages. Raises Unreadable."""
    text = _filled(decoded(path.read_bytes(), charset))
    lines = []
    for line in text.split("\n"):
        level = 0 if line.startswith("#") else heading_level(line)
        lines.append(f"{'#' * level} {line.strip()}" if level else line)
    found = Extracted(body="\n".join(lines))
    found.title = title_of(line.strip() for line in text.split("\n") if line.strip())
    if pages := text.count(PAGE_BREAK):
        found.fields["page_count"] = pages + 1
    return complete(found)


def read_markdown(path: Path, charset: Charset | None) -> Extracted:
    """The document of a Markdown file, with the members of its front matter as fields. Raises
    Unreadable."""
    text = _filled(decoded(path.read_bytes(), charset)).replace(PAGE_BREAK, "\n")
    found = Extracted()
    titles = []
    if front := _FRONT.match(text):
        members = _members(front["members"])
        text = text[front.end() :]
        titles.append(" ".join(members.get("title", ())))
        _fields(found, members)
        found.abstract = "\n".join(members.get("abstract", ()))
    text = _SETEXT.sub(lambda m: f"{'#' if m['line'][0] == '=' else '##'} {m['text']}", text)
    found.body = _without_false_headings(text).strip()
    headings = _HEADING.findall(found.body)
    first = next((line for line in found.body.split("\n") if line.strip()), "")
    found.title = title_of([*titles, *map(_shown, [*headings[:1], first])])
    if not found.body and not found.title:
        raise Unreadable("is empty")
    return complete(found)


def _shown(line: str) -> str:
    """The text that a line of Markdown shows; of one too long for a title, the beginning."""
    line = line[:_LINE_CHARS]
    for mark, left in _MARKS:
        line = mark.sub(left, line)
    return line.strip()


def decoded(content: bytes, charset: Charset | None) -> str:
    """The text of a file, with line feeds as ends of lines. Raises Unreadable."""
    try:
        text = text_of(content, charset)
    except CharsetUnknown as error:
        raise Unreadable(str(error)) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _filled(text: str) -> str:
    if not text.strip():
        raise Unreadable("holds no text")
    return text.strip("\n")


def _members(front: str) -> dict[str, list[str]]:
    """The members of a front matter, each with its value, the items of a list, or the lines of a
    text over several lines."""
    members: dict[str, list[str]] = {}
    values: list[str] = []
    block = False
    for line in front.split("\n"):
        member, item = _MEMBER.match(line), _ITEM.match(line)
        if member:
            values = members.setdefault(member["name"].lower(), [])
            value = (member["value"] or "").strip()
            block = bool(_BLOCK.match(value))
            values += [_unquoted(value)] if value and not block else []
        elif block and line[:1].isspace():
            values += [line.strip()] if line.strip() else []
        elif item:
            values.append(_unquoted(item["value"]))
        elif line.strip() and line[0].isspace() and not _MEMBER.match(line.strip()):
            values.append(line.strip())
    return members


def _unquoted(value: str) -> str:
    return value.strip().strip("\"'")


def _fields(found: Extracted, members: dict[str, list[str]]) -> None:
    for name, given in (("authors", "author authors"), ("keywords", "keywords tags")):
        values = next((members[each] for each in given.split() if members.get(each)), [])
        if len(values) == 1 or "".join(values)[:1] == "[":
            values = re.split("[;；,，]", " ".join(values).strip("[]"))
        if parts := [part for value in values if (part := value.strip(" \"'"))]:
            found.fields[name] = parts
    dates = members.get("date") or members.get("year") or []
    if year := _YEAR.search(" ".join(dates)):
        found.fields["year"] = int(year[0])


def _without_false_headings(text: str) -> str:
    """The text with a space before each `#` that begins a line of code, which is no heading."""
    lines, fence = [], ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1] == fence):
            fence = "" if fence else mark[1]
        lines.append(f" {line}" if fence and line.startswith("#") else line)
    return "\n".join(lines)
