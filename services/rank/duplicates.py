"""The last phase: near-duplicates go, and on demand similar hits make room for different ones.

A copy is recognised by what would distinguish it. Two documents whose characters are nearly all the
same are still different when their titles differ in a number, a version, a sign or a word (C++ and
C#, 2019 and 2020, part one and part two), or their texts in a number. A space before a unit or
after a name is no difference (3.5mm and 3.5 mm, ISO9001 and ISO 9001).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any
from unicodedata import category

from services.common.text import WordAnalyzer
from services.common.text.expressions import other_spellings, words_of_expressions
from services.common.wire.rank import RankCandidate

_GRAM = 3
_TEXT_CHARS = 400
"""Number of characters at the beginning of a text that are compared, enough to tell a copy from a
similar text."""
_PARTED_CHARS = 200
"""Number of letters of two titles that are compared word by word, from where they part. The time
grows with its square: titles of 4,000 letters would take a second."""
_LONG_NAME = 4
"""Number of letters from which on a Latin word of a title alone does not distinguish two documents.
"""
_SIGNS = re.compile(r"[+=<>≠≤≥±÷#]")
_PART = re.compile(
    r"第[一二三四五六七八九十百]+|[一二三四五六七八九十]+[章节卷册篇辑期版届]"
    r"|\([一二三四五六七八九十上中下续]\)|之[一二三四五六七八九十]|[上中下续]$|[上中下][册卷篇]"
)
_FUNCTION_WORDS = frozenset(
    {"a", "an", "the", "of", "on", "in", "at", "to", "by", "as", "is", "or", "and", "for", "via"}
)

Shingles = frozenset[str]
"""Character 3-grams of a text."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The parts of a document that decide whether it is a copy of another one."""

    grams: Shingles
    """3-grams of the letters in the title and the beginning of the text."""
    title: str = ""
    """Letters of the title, folded."""
    has_text: bool = False
    marks: frozenset[str] = frozenset()
    """Parts of the title that distinguish similar titles: numbers, versions, signs, short names."""
    numbers: frozenset[str] = frozenset()
    """Numbers in the beginning of the text."""
    written: str = ""
    """The title and, on a line of its own, the beginning of the text, folded."""


def outline(candidate: RankCandidate, analyzer: WordAnalyzer) -> Outline:
    """The parts of a candidate that `distinguishable` and `similarity` compare."""
    title = analyzer.fold(candidate.title)
    text = analyzer.fold(candidate.text[:_TEXT_CHARS])
    bare = _letters(title + text)
    return Outline(
        grams=_grams(bare),
        title=_letters(title),
        has_text=bool(text),
        marks=frozenset((*_short_names(title), *_SIGNS.findall(title), *_PART.findall(title))),
        numbers=frozenset(filter(_has_digit, words_of_expressions(text))),
        written=f"{title}\n{text}",
    )


def _grams(bare: str) -> Shingles:
    """The 3-grams of a text without spaces and signs; a shorter text is a gram of its own, and an
    empty one has none."""
    if not bare:
        return frozenset()
    return frozenset(bare[at : at + _GRAM] for at in range(max(1, len(bare) - _GRAM + 1)))


def _letters(text: str) -> str:
    """Letters and digits of a text with the marks upon them, which make other words in Hindi and
    Thai. A text without any, such as emoji, is compared by its signs."""
    letters = "".join(each for each in text if each.isalnum() or category(each)[0] == "M")
    return letters or "".join(text.split())


@dataclass(frozen=True, slots=True)
class Outlines(Sequence[Outline]):
    """The outlines of candidates, each made when it is first looked at."""

    candidates: Sequence[RankCandidate]
    analyzer: WordAnalyzer
    _made: dict[int, Outline] = field(default_factory=dict, init=False)

    def __len__(self) -> int:
        return len(self.candidates)

    @property
    def made(self) -> int:
        """Number of outlines that were made."""
        return len(self._made)

    def __getitem__(self, at: Any) -> Any:
        """The outline at one position; there are no slices."""
        if at not in self._made:
            self._made[at] = outline(self.candidates[at], self.analyzer)
        return self._made[at]


def _short_names(title: str) -> list[str]:
    """Numbers and short Latin names of a title; English function words say nothing."""
    words = [
        word for word in words_of_expressions(title) if _has_digit(word) or len(word) < _LONG_NAME
    ]
    if not title.isascii():  # the a of 维生素a is no article
        return words
    return [word for word in words if word not in _FUNCTION_WORDS]


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def similarity(left: Shingles, right: Shingles) -> float:
    """Jaccard similarity: the share of common grams among the grams of both, from 0 to 1; 0 without
    any grams."""
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared) if shared else 0.0


def distinguishable(left: Outline, right: Outline) -> bool:
    """Whether two documents of nearly the same characters are different ones.

    Without texts, titles must be the same. With texts of the same numbers, one title may hold
    additions, such as a subtitle, but no word in the place of another word.
    """
    if _has_more(left, right) or _has_more(right, left):
        return True
    if left.title == right.title:
        return False
    if not (left.has_text and right.has_text):
        return True
    return _replaces_a_word(left.title, right.title)


def _has_more(one: Outline, other: Outline) -> bool:
    """Whether a document has a mark or a number that the other one lacks in every spelling."""
    more = one.marks - other.marks | one.numbers - other.numbers
    return bool(more) and not more <= other_spellings(other.written)


def _replaces_a_word(left: str, right: str) -> bool:
    """Whether a title has letters in the place of others, and not only more of them."""
    letters = enumerate(zip(left, right, strict=False))
    parted = next((at for at, (one, other) in letters if one != other), None)
    if parted is None:
        return False
    end = parted + _PARTED_CHARS
    compared = SequenceMatcher(None, left[parted:end], right[parted:end], autojunk=False)
    return any(change == "replace" for change, *_ in compared.get_opcodes())


def select(
    scores: Sequence[float],
    documents: Sequence[Outline],
    *,
    top_k: int,
    diversity: float,
    duplicate: float,
) -> list[int]:
    """Positions of at most `top_k` documents, given best first, without near-duplicates.

    A document that cannot be distinguished from a chosen one, and whose similarity to it reaches
    `duplicate`, is left out. With `diversity` d, the next one maximises (1 - d) score -
    d similarity to the chosen (maximal marginal relevance, Carbonell and Goldstein, SIGIR 1998).
    Without it `documents` are read only as far down as hits are found.
    """
    if diversity:
        return diverse(scores, documents, top_k=top_k, diversity=diversity, duplicate=duplicate)
    chosen: list[int] = []
    for at in range(len(documents)):
        if len(chosen) == top_k:
            break
        if not any(_copies(documents[at], documents[better], duplicate) for better in chosen):
            chosen.append(at)
    return chosen


def _copies(left: Outline, right: Outline, duplicate: float) -> bool:
    alike = similarity(left.grams, right.grams)
    return alike >= duplicate and not distinguishable(left, right)


def diverse(
    scores: Sequence[float],
    documents: Sequence[Outline],
    *,
    top_k: int,
    diversity: float,
    duplicate: float,
) -> list[int]:
    """Positions as `select` gives them, each next one chosen by its score and its distance to the
    chosen ones."""
    chosen: list[int] = []
    closest = [0.0] * len(documents)
    remaining = list(range(len(documents)))
    while remaining and len(chosen) < top_k:
        best = max(remaining, key=lambda at: (1 - diversity) * scores[at] - diversity * closest[at])
        chosen.append(best)
        remaining.remove(best)
        others = []
        for at in remaining:
            alike = similarity(documents[at].grams, documents[best].grams)
            closest[at] = max(closest[at], alike)
            if alike < duplicate or distinguishable(documents[at], documents[best]):
                others.append(at)
        remaining = others
    return chosen
