"""The suggestions of one collection, found by the writing of a text, its pinyin and its first
letters."""

import asyncio
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.text import WordAnalyzer
from services.common.text.analyzer import compared
from services.common.text.normalise import HAN
from services.common.wire.suggest import Frequent, Suggestion
from services.recall.suggestions.collected import Counted, Kind
from services.recall.suggestions.readings import syllables
from services.recall.suggestions.sorted_text import END, SortedText

_KINDS: tuple[Kind, ...] = ("title", "keyword", "author")
_BONUS = {"title": 0.0, "keyword": 2.0, "author": 1.0}
_QUERY_BONUS = 3.0
_AT_START = 1.5
"""Score that a match at the beginning of a text gains over one at a later word."""
_PER_CHARACTER = -0.02
_STARTS = 8
"""Number of words of a text at whose beginning it is found."""
FUNCTION_WORDS = frozenset("的了和与及或在是对中之其而等上下")
"""Words at which no typed text begins, and which are no slips."""
_MORE = 4
"""Multiple of the wanted matches that are looked at, since several may belong to one text."""
_MORE_BY_SOUND = 20
"""The same for Chinese text, whose sound is also the beginning of longer syllables: shu of shui."""
_CONTEXT = 3
"""Number of characters behind a beginning that tell how it is read: 重 of 重庆 is chong."""
_AT_ONCE = 50
"""Number of texts that are processed between two turns of other tasks, which takes about 2 ms."""
_CHARS = (12, 24, 12)
"""Number of characters by which writings, pinyin and first letters are sorted."""
_CHINESE = re.compile(f"[{HAN}]")
_LESS = (0.0, -1.5, -2.0)
"""Score that a match in writing, pinyin or first letters loses."""


@dataclass(frozen=True, slots=True)
class Forms:
    """A text in the forms in which it is found, each with the positions of its words'
    beginnings."""

    writing: str
    pinyin: str
    letters: str
    starts: Sequence[tuple[int, int, int]]


def forms(text: str, analyzer: WordAnalyzer) -> Forms:
    """The forms of a text, which is given in the form for comparison."""
    read = syllables(text)
    letters = [one[:1] if len(one) > 1 else one for one in read]
    pinyin_at, letters_at = [0], [0]
    for syllable, letter in zip(read, letters, strict=True):
        pinyin_at.append(pinyin_at[-1] + len(syllable))
        letters_at.append(letters_at[-1] + len(letter))
    starts, place = [], 0
    for piece in analyzer.pieces(text):
        if place == 0 or (piece[0].isalnum() and piece not in FUNCTION_WORDS):
            starts.append((place, pinyin_at[place], letters_at[place]))
        place += len(piece)
    return Forms(text, "".join(read), "".join(letters), starts[:_STARTS])


class SuggestionIndex:
    """The suggestions of one collection. It does not change once it is made."""

    def __init__(self, counted: Sequence[Counted], parts: Sequence[Forms]) -> None:
        """`parts` are the forms of the texts, in the same order."""
        self._shown = END.join(one.text for one in counted)
        lengths = np.fromiter((len(one.text) + 1 for one in counted), np.int32, len(counted))
        self._shown_at = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        self._kinds = np.fromiter((_KINDS.index(one.kind) for one in counted), np.int8)
        self._counts = np.fromiter((one.count for one in counted), np.int32)
        self._text_of = np.repeat(
            np.arange(len(parts), dtype=np.int32), [len(one.starts) for one in parts]
        )
        scores = np.fromiter(
            (
                _BONUS[one.kind]
                + math.log(one.count)
                + (_AT_START if place == 0 else 0.0)
                + _PER_CHARACTER * len(one.text)
                for one, part in zip(counted, parts, strict=True)
                for place, *_ in part.starts
            ),
            np.float32,
            len(self._text_of),
        )
        self._writing = END.join(part.writing for part in parts)
        bases, starts = [0, 0, 0], np.empty((3, len(self._text_of)), np.int32)
        at = 0
        for part in parts:
            for places in part.starts:
                starts[:, at] = [base + place for base, place in zip(bases, places, strict=True)]
                at += 1
            for form, text in enumerate((part.writing, part.pinyin, part.letters)):
                bases[form] += len(text) + 1
        self._starts = starts[0]
        texts = (
            self._writing,
            END.join(part.pinyin for part in parts),
            END.join(part.letters for part in parts),
        )
        self._sorted = [
            SortedText(text, starts[form], scores, _CHARS[form]) for form, text in enumerate(texts)
        ]

    def __len__(self) -> int:
        return len(self._counts)

    def has(self, text: str) -> bool:
        """Whether a word of the collection begins with a text."""
        return self._sorted[0].has(text)

    def suggest(
        self, typed: str, limit: int, frequent: Iterable[Frequent] = ()
    ) -> list[Suggestion]:
        """Completions of a typed text, the best first."""
        text = compared(typed)
        letters = _letters(text)
        scored: dict[str, tuple[float, Suggestion]] = {}

        def offer(score: float, suggestion: Suggestion) -> None:
            form = compared(suggestion.text)
            if form not in scored or scored[form][0] < score:
                scored[form] = score, suggestion

        for form, prefix in enumerate(_prefixes(text, letters)):
            if prefix:
                for start, score in self._sorted[form].best(prefix, _MORE * limit):
                    offer(score + _LESS[form], self._suggestion(int(self._text_of[start])))
        for start, score in self._as_spoken(text, _MORE_BY_SOUND * limit):
            offer(score + _LESS[1], self._suggestion(int(self._text_of[start])))
        for one in frequent:
            if (less := _matching(compared(one.text), text, letters)) is not None:
                score = _QUERY_BONUS + math.log1p(one.count) + less
                suggestion = Suggestion(text=one.text, kind="query", count=max(1, int(one.count)))
                offer(score, suggestion)
        best = sorted(scored.items(), key=lambda item: (-item[1][0], item[0]))
        return [suggestion for _, (_, suggestion) in best[:limit]]

    def sounding(self, word: str) -> list[str]:
        """Beginnings of words of the collection that sound like a Chinese word and are as long as
        it.

        Each beginning is given once for each of its best occurrences; the best come first.
        """
        return [self._beginning(start, len(word)) for start, _ in self._as_spoken(word, 20)]

    def _as_spoken(self, text: str, most: int) -> list[tuple[int, float]]:
        """Those of the `most` best starts with the sound of a text that follow it character by
        character up to its last Chinese one; none for a text without Chinese.

        The wrong characters may have been chosen, and letters behind them may be pinyin that is
        not complete: 身经wang.
        """
        length, read = _chinese_part(text), syllables(text)
        if not any(read[:length]):
            return []
        return [
            (start, score)
            for start, score in self._sorted[1].best("".join(read), most)
            if syllables(self._beginning(start, length + _CONTEXT))[:length] == read[:length]
        ]

    def _beginning(self, start: int, length: int) -> str:
        """The characters that follow a start in writing."""
        at = int(self._starts[start])
        return self._writing[at : at + length]

    def read_as(self, pinyin: str) -> str | None:
        """The best word, or end of a title, whose whole reading this is."""
        for start, _ in self._sorted[1].best(pinyin + END, 1):
            at = int(self._starts[start])
            end = self._writing.find(END, at)
            return self._writing[at : end if end >= 0 else None]
        return None

    def _suggestion(self, text: int) -> Suggestion:
        shown = self._shown[self._shown_at[text] : self._shown_at[text + 1] - 1]
        kind = _KINDS[self._kinds[text]]
        return Suggestion(text=shown, kind=kind, count=int(self._counts[text]))


async def indexed(counted: Sequence[Counted], analyzer: WordAnalyzer) -> SuggestionIndex:
    """The index of these texts. Other tasks get their turns while it is made."""
    parts = []
    for place, one in enumerate(counted):
        if place % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
        parts.append(forms(compared(one.text), analyzer))
    return await asyncio.to_thread(SuggestionIndex, counted, parts)


def _letters(text: str) -> str:
    """The letters of a text that was typed in pinyin: shen jing, sjwl, xi'an."""
    typed = text.replace(" ", "").replace("'", "").replace("ü", "v")
    return typed if typed.isascii() and typed.isalnum() else ""


def _prefixes(text: str, letters: str) -> tuple[str, str, str]:
    """Prefixes of writing, pinyin and first letters to look for; empty for a form that is not
    searched."""
    return text, letters, letters if len(letters) > 1 else ""


def _chinese_part(text: str) -> int:
    """Length of a text up to its last Chinese character, 0 without one."""
    return max((at for at, each in enumerate(text, 1) if _CHINESE.match(each)), default=0)


def _matching(query: str, text: str, letters: str) -> float | None:
    """Score that a frequent query loses against a match in writing; None if it does not match."""
    if query.startswith(text):
        return _LESS[0]
    if not letters:
        return None
    read = syllables(query)
    if "".join(read).startswith(letters):
        return _LESS[1]
    first = "".join(one[:1] for one in read)
    return _LESS[2] if len(letters) > 1 and first.startswith(letters) else None
