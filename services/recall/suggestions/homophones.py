"""Corrects homophones by words of the collection: 身经网络 becomes 神经网络.

Only text that consists of no known words is corrected: 计算 stays, even if the collection does not
have it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from services.common.text import WordAnalyzer
from services.common.text.analyzer import fold
from services.common.text.normalise import HAN, normalise
from services.recall.suggestions.index import FUNCTION_WORDS, SuggestionIndex

_LONGEST = 8
_SHORTEST = 2
_SURE = 3
"""Number of characters from which on one occurrence in the collection is enough, and from which on
a word of the dictionary, such as a name, may be a slip; shorter words need two occurrences."""
_MOST_CHARS = 40
_CHINESE = re.compile(f"[{HAN}]+")
_LETTERS = re.compile(r"[a-z]+(?:[ '][a-z]+)*")
_FEWEST_LETTERS = 4


def did_you_mean(typed: str, index: SuggestionIndex, analyzer: WordAnalyzer) -> str | None:
    """The query with words of the collection in place of those that only sound like them.

    None if the collection has the typed text, or nothing that sounds like it.
    """
    text = normalise(typed)
    folded = fold(text)
    if not text or len(text) > _MOST_CHARS or index.has(folded):
        return None
    if _LETTERS.fullmatch(folded):
        letters = folded.replace(" ", "").replace("'", "")
        return index.read_as(letters) if len(letters) >= _FEWEST_LETTERS else None

    def meant(run: re.Match[str]) -> str:
        return "".join(_words(analyzer.pieces(run[0], unknown=False), index))

    corrected = _CHINESE.sub(meant, text)
    return corrected if corrected != text else None


def _words(pieces: Sequence[str], index: SuggestionIndex) -> Iterator[str]:
    """What the words and single characters of a run of Chinese stand for, the longest first."""
    at = 0
    while at < len(pieces):
        for end in range(len(pieces), at, -1):
            word = "".join(pieces[at:end])
            if len(word) > _LONGEST:
                continue
            other = _slip_of(pieces[at:end], index)
            if other is None and (end == at + 1 or index.has(word)):
                other = word
            if other is not None:
                yield other
                at = end
                break
        else:
            yield pieces[at]
            at += 1


def _slip_of(pieces: Sequence[str], index: SuggestionIndex) -> str | None:
    """The word of the collection that was meant; None if these pieces may stay."""
    word = "".join(pieces)
    strange = any(len(piece) == 1 and piece not in FUNCTION_WORDS for piece in pieces)
    name = len(pieces) == 1 and len(word) >= _SURE
    if len(word) < _SHORTEST or not (strange or name) or index.has(word):
        return None
    sounding = Counter(index.sounding(word)).most_common(1)
    if sounding and (len(word) >= _SURE or sounding[0][1] >= _SHORTEST):
        return sounding[0][0]
    return None
