"""Passages of a hit with the query's words marked.

Words are looked for in the normal form of a text, as the index has it, and marked in the text as
it is stored: 微积分 marks 微積分, and CO2 marks CO<sub>2</sub>. What matches is marked whole. The
text's own <em> tags are left out, so that every <em> of a highlight is a match.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from services.common.text.analyzer import fold
from services.common.text.edits import Normalised
from services.common.text.expressions import EXPRESSION, expression_words
from services.common.text.normalise import normalised

PASSAGE_CHARS = 120
"""Length of a passage in characters of the normal form."""
MAX_PASSAGES = 3
MAX_TEXT_CHARS = 20_000
"""Number of characters at the beginning of a text that are searched for matches."""
MAX_TEXTS_CHARS = 400_000
"""Number of such characters of all hits of an answer together, which take about a second; of many
long texts each has an equal share."""

Span = tuple[int, int]
"""Start and end of a part of a text."""

_FUNCTION_WORDS = frozenset(
    {*"的地得了着过和与及或在是对将把被为以于之其而也都就等不这那有从由向", "一种", "一个", "基于"}
    | {"a", "an", "and", "by", "for", "from", "in", "is", "of", "on", "or", "the", "to", "with"}
)
"""Words that do not say why a document was found, and that would be marked everywhere."""

_PART = re.compile(r"[^,:~*×]+")
"""A part of an expression that lists several: CO2,SO2 is one expression."""
_OPENING_TAG = re.compile(r"<[A-Za-z][^<>]*>")
_OWN_MARK = re.compile(r"/?em(?:\s[^<>]*)?/?>", re.IGNORECASE)
"""One of a text's own <em> tags, without the bracket that begins it."""
_CLOSING_TAGS = re.compile(r"(?:</[A-Za-z][^<>]*>)+")


@dataclass(frozen=True, slots=True)
class Marker:
    """Marks the words of one query."""

    words: frozenset[str]
    """Numbers, names and other words that are not Chinese, in the folded normal form."""
    inside: re.Pattern[str] | None
    """Words that stand inside a run of characters, as Chinese ones do; the longest first."""
    beginnings: re.Pattern[str] | None
    """First characters of those words."""

    @classmethod
    def of(cls, terms: Iterable[str]) -> "Marker | None":
        """The marker of a query's terms; None when there are none.

        Function words are left out, unless the query consists of them.
        """
        given = {term for term in terms if term.strip()}
        words = frozenset(given - _FUNCTION_WORDS or given)
        if not words:
            return None
        apart = frozenset(word for word in words if EXPRESSION.fullmatch(word))
        inside = sorted(words - apart, key=lambda word: (-len(word), word))
        if not inside:
            return cls(apart, None, None)
        firsts = "".join(sorted({re.escape(word[0]) for word in inside}))
        return cls(apart, re.compile("|".join(map(re.escape, inside))), re.compile(f"[{firsts}]"))

    def highlight(self, title: str, text: str, most: int = MAX_TEXT_CHARS) -> dict[str, list[str]]:
        """The title whole and the text in passages, with matches in <em>; `most` characters of the
        text are searched.

        A member without a match is left out.
        """
        highlights: dict[str, list[str]] = {}
        normal = normalised(title)
        if matches := self.matches(normal.text):
            every = (0, len(normal.text))
            highlights["title"] = [_marked(title, normal, every, _merged(matches), whole=True)]
        searched = text[:most]
        normal = normalised(searched)
        if matches := self.matches(normal.text):
            spans = _merged(matches)
            highlights["text"] = [
                _marked(searched, normal, window, spans, cut=most < len(text))
                for window in _windows(spans, matches, len(normal.text))
            ]
        return highlights

    def matches(self, normal: str) -> list[Span]:
        """The places of words in a text in normal form, in order; they may overlap."""
        folded = fold(normal)
        return sorted([*self._expressions(folded), *self._inside(folded)])

    def _expressions(self, folded: str) -> Iterator[Span]:
        """Matches of `words`; of an expression that lists several, only the matching ones."""
        if not self.words:
            return
        for match in EXPRESSION.finditer(folded):
            parts = [] if match[0] in self.words else list(_PART.finditer(match[0]))
            matching = [part for part in parts if self._has(part[0])]
            if matching:
                for part in matching:
                    yield match.start() + part.start(), match.start() + part.end()
            elif self._has(match[0]):
                yield match.span()

    def _has(self, expression: str) -> bool:
        return expression in self.words or not self.words.isdisjoint(expression_words(expression))

    def _inside(self, folded: str) -> Iterator[Span]:
        """Matches of the words inside runs of characters."""
        if self.inside is None or self.beginnings is None:
            return
        for beginning in self.beginnings.finditer(folded):
            if word := self.inside.match(folded, beginning.start()):
                yield word.span()


def share(hits: int) -> int:
    """Number of characters of each text that are searched in an answer of so many hits."""
    return min(MAX_TEXT_CHARS, MAX_TEXTS_CHARS // max(1, hits))


def _merged(matches: Iterable[Span]) -> list[Span]:
    """The same places, with touching ones joined."""
    merged: list[Span] = []
    for start, end in matches:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _windows(spans: Sequence[Span], matches: Sequence[Span], length: int) -> list[Span]:
    """The passages with the most matches, in reading order; no match is cut at the end of one, and
    passages that touch are one."""
    windows: list[Span] = []
    for start, end in spans:
        if windows and start < windows[-1][1]:
            windows[-1] = (windows[-1][0], max(windows[-1][1], end))
        else:
            first = max(0, start - PASSAGE_CHARS // 4, windows[-1][1] if windows else 0)
            windows.append((first, min(max(first + PASSAGE_CHARS, end), length)))
    starts = [start for start, _ in matches]

    def fewest_last(window: Span) -> int:
        return bisect_left(starts, window[0]) - bisect_left(starts, window[1])

    return _merged(sorted(sorted(windows, key=fewest_last)[:MAX_PASSAGES]))


def _marked(
    raw: str,
    normal: Normalised,
    window: Span,
    spans: Sequence[Span],
    *,
    whole: bool = False,
    cut: bool = False,
) -> str:
    """The raw text of a window of the normal form, with its spans in <em>, and … where words are
    left out; tags alone are left out without it. `cut` says that `raw` is not the whole text."""
    start, end = normal.raw_span(*window)
    if whole:
        start, end = 0, len(raw)
    pieces = ["…" if window[0] else ""]
    at = start
    for span in spans:
        if window[0] <= span[0] and span[1] <= window[1]:
            first, last = _with_tags(raw, *normal.raw_span(*span))
            first = max(first, at)  # The tags before it may have gone with the match before.
            pieces += (_unmarked(raw[at:first]), "<em>", _unmarked(raw[first:last]), "</em>")
            at = last
    end = max(end, at)
    more = cut or window[1] < len(normal.text)
    pieces += (_unmarked(raw[at:end]), "…" if more else "")
    return "".join(pieces)


def _unmarked(raw: str) -> str:
    """A part of a text without the text's own <em> tags, those included that others leave when they
    go: <<em>em>."""
    pieces: list[str] = []
    for piece in raw.split("<"):
        pieces.append(piece)
        while len(pieces) > 1 and (mark := _OWN_MARK.match(pieces[-1])):
            rest = pieces.pop()[mark.end() :]
            pieces[-1] += rest
    return "<".join(pieces)


def _with_tags(raw: str, start: int, end: int) -> Span:
    """The span with the tags that belong to tags inside it: CO<sub>2</sub>, <sup>13</sup>C."""
    if "</" in raw[start:end]:
        # From tag to tag: a pattern of them all would be tried at each one of a long row.
        while (tag := raw.rfind("<", 0, start)) >= 0 and _OPENING_TAG.fullmatch(raw, tag, start):
            start = tag
    if "<" in raw[start:end] and (after := _CLOSING_TAGS.match(raw, end)):
        end = after.end()
    return start, end
