"""Makes paragraphs and headings from the lines of printed pages.

A PDF says where characters stand, not which of them belong together: lines are joined to paragraphs
by their width, and headings are recognised by the outline, by their numbers or by their usual
names.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

_WIDE = 0x2E80
"""First code point of characters that are as wide as two Latin ones and need no space between
them."""
_FULL = 0.8
"""Share of a page's usual line width from which on the next line continues a line."""
_RUNNING = 0.5
"""Share of the pages on which a first or last line must stand to be a running head."""
_FEW_PAGES = 4
_EDGE = 2
"""Number of lines at the top and at the bottom of a page that may be a running head."""
_HYPHENS = "\u00ad\ufffe\x02"
"""Characters at the end of a line that stand for a hyphen which the word itself does not have."""
_PAGE_NUMBER = re.compile(r"[-—–·.\s第]*\d{1,4}(?:\s*[/／]\s*\d{1,4})?[-—–·.\s页]*")
_CHAPTER = re.compile(
    r"(?:第[一二三四五六七八九十百\d]{1,4}([章篇部节])|([一二三四五六七八九十]{1,3})、)\s*\S"
)
_NUMBERED = re.compile(r"(\d{1,2}(?:[.．]\d{1,2}){0,3})[.．、]?\s*(?=[^\W\d_])")
_NAMED = re.compile(
    r"(?:\d{1,2}[.．、\s]*)?(?:摘要|引言|前言|绪论|导论|结论|结语|讨论|致谢|附录|参考文献|abstract|"
    r"introduction|background|methods|results|discussion|conclusions?|acknowledge?ments?|"
    r"references|bibliography|appendix)[:：]?",
    re.IGNORECASE,
)
_MOST_HEADING = 80
"""Width of the longest heading, in Latin characters."""
_SENTENCE_END = re.compile(r"[。！？!?；;，,、:：…]$|[a-z]\.$")


def pages_of(lines: Sequence[Sequence[str]], outline: Mapping[str, int]) -> list[str]:
    """The text of each page, from its lines. `outline` has the level of each heading that the file
    itself names, by `bare`."""
    trimmed = [[line for line in map(_trimmed, page) if line] for page in lines]
    running = _running_heads(trimmed)
    return [_page(page, outline, running) for page in trimmed]


def bare(text: str) -> str:
    """A heading without white space, the form in which headings are compared."""
    return re.sub(r"\s+", "", text)


def width(text: str) -> int:
    """Width of a line in Latin characters."""
    return sum(2 if ord(char) >= _WIDE else 1 for char in text)


def heading_level(line: str) -> int:
    """The level of a line that looks like a heading, from 1 on; 0 if it does not."""
    text = line.strip()
    if not text or width(text) > _MOST_HEADING:
        return 0
    if _NAMED.fullmatch(bare(text)):
        return 1
    if _SENTENCE_END.search(text):
        return 0
    if match := _CHAPTER.match(text):
        return 2 if match[1] == "节" else 1
    if match := _NUMBERED.match(text):
        rest = text[match.end() :]
        latin = rest[:1].isascii()
        spaced = text[len(match[1]) : len(match[1]) + 1] in (" ", "　", ".", "．", "、")
        digits = sum(char.isdigit() for char in rest)
        if spaced and (not latin or rest[:1].isupper()) and 4 * digits <= len(rest):
            return min(1 + len(re.findall("[.．]", match[1])), 6)
    return 0


def joined(before: str, after: str) -> str:
    """Two lines of one paragraph, joined."""
    if before.endswith(tuple(_HYPHENS)):
        return before[:-1] + after
    if before.endswith("-") and before[-2:-1].isalpha() and after[:1].islower():
        return before[:-1] + after
    if ord(before[-1]) >= _WIDE or ord(after[0]) >= _WIDE:
        return before + after
    return f"{before} {after}"


def _page(lines: Sequence[str], outline: Mapping[str, int], running: Callable[[str], bool]) -> str:
    paragraphs: list[str] = []
    usual = _usual_width(lines)
    goes_on = False
    for place, line in enumerate(lines):
        level = outline.get(bare(line), 0)
        if not level and min(place, len(lines) - 1 - place) < _EDGE and running(line):
            continue
        level = level or heading_level(line)
        if level:
            paragraphs.append(f"{'#' * level} {line}")
            goes_on = False
            continue
        if goes_on:
            paragraphs[-1] = joined(paragraphs[-1], line)
        else:
            paragraphs.append(line)
        goes_on = width(line) >= _FULL * usual
    return "\n\n".join(paragraphs)


def _usual_width(lines: Sequence[str]) -> int:
    widths = sorted(width(line) for line in lines)
    return widths[len(widths) * 4 // 5] if widths else 0


def _trimmed(line: str) -> str:
    return re.sub(r"[ \t\u00a0\u3000]+", " ", line).strip()


def _running_heads(pages: Sequence[Sequence[str]]) -> Callable[[str], bool]:
    """Recognises heads, feet and page numbers, which stand at the edge of most pages."""
    if len(pages) < _FEW_PAGES:
        return lambda _: False
    edges: Counter[str] = Counter()
    for page in pages:
        edges.update({_mark(line) for line in (*page[:_EDGE], *page[-_EDGE:])})
    least = max(_FEW_PAGES - 1, _RUNNING * len(pages))
    most = {mark for mark, count in edges.items() if mark and count >= least}
    return lambda line: _mark(line) in most


def _mark(line: str) -> str:
    """The part of a running head that is the same on all pages; empty if the line is none."""
    if _PAGE_NUMBER.fullmatch(line):
        return "0"
    if width(line) > _MOST_HEADING or _SENTENCE_END.search(line):
        return ""
    return re.sub(r"\d+", "0", line)
