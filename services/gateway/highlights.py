"""Passages of a hit with the query's words marked."""

import re
from collections.abc import Iterable

PASSAGE_CHARS = 120
MAX_PASSAGES = 3
MAX_TEXT_CHARS = 20_000
"""Marks are searched for in the first part of very long texts only."""

_FUNCTION_WORDS = frozenset(
    {*"的地得了着过和与及或在是对将把被为以于之其而也都就等不这那有从由向", "一种", "一个", "基于"}
    | {"a", "an", "and", "by", "for", "from", "in", "is", "of", "on", "or", "the", "to", "with"}
)
"""They say nothing of why a document was found; a text full of marked 的 cannot be read."""


def term_pattern(terms: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern for all words of a query, the longest first; None when there are none.

    Function words are left out, unless the query consists of them.
    """
    asked = {term for term in terms if term.strip()}
    words = sorted(asked - _FUNCTION_WORDS or asked, key=lambda word: (-len(word), word))
    if not words:
        return None
    return re.compile("|".join(_whole(word) for word in words), re.IGNORECASE)


def _whole(word: str) -> str:
    """Latin words match as whole words: `ai` is not in `said`. Chinese has no such borders."""
    escaped = re.escape(word)
    if word.isascii() and word.isalnum():
        return rf"(?<![A-Za-z0-9]){escaped}(?![A-Za-z0-9])"
    return escaped


def highlight(pattern: re.Pattern[str], title: str, text: str) -> dict[str, list[str]]:
    """`title` whole and `text` in passages, with matches in <em>; only where something matches."""
    found: dict[str, list[str]] = {}
    if pattern.search(title):
        found["title"] = [_mark(pattern, title)]
    if passages := _passages(pattern, text[:MAX_TEXT_CHARS]):
        found["text"] = passages
    return found


def _mark(pattern: re.Pattern[str], text: str) -> str:
    marked = pattern.sub(lambda match: f"<em>{match[0]}</em>", text)
    return marked.replace("</em><em>", "")  # neighbouring words are one mark


def _passages(pattern: re.Pattern[str], text: str) -> list[str]:
    """The windows of the text with the most matches, in reading order."""
    windows: list[tuple[int, int, int]] = []
    for match in pattern.finditer(text):
        if windows and match.end() <= windows[-1][2]:
            count, start, end = windows[-1]
            windows[-1] = (count + 1, start, end)
        else:
            start = max(0, match.start() - PASSAGE_CHARS // 4)
            start = max(start, windows[-1][2]) if windows else start
            windows.append((1, start, max(start + PASSAGE_CHARS, match.end())))
    best = sorted(windows, key=lambda window: -window[0])[:MAX_PASSAGES]
    return [_passage(pattern, text, start, end) for _, start, end in sorted(best, key=_start)]


def _start(window: tuple[int, int, int]) -> int:
    return window[1]


def _passage(pattern: re.Pattern[str], text: str, start: int, end: int) -> str:
    before = "…" if start else ""
    after = "…" if end < len(text) else ""
    return before + _mark(pattern, text[start:end]) + after
