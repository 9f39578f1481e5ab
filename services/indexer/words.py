"""The words of a document or a passage in a form that fits into a row."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence

from services.common.text import index_text
from services.common.text.analyzer import MAX_INDEX_BYTES

_REPEATS = (64, 32, 16, 8, 4, 2, 1)
"""Numbers of times that a word may stand in a text with too many words; the largest that fits is
taken."""


def fitting(words: Sequence[str]) -> str:
    """The words in a form that fits into a row; if none fits, each word once."""
    text = index_text(words, limit=sys.maxsize)
    for most in _REPEATS:
        if len(text.encode()) <= MAX_INDEX_BYTES:
            break
        text = index_text(_thinned(words, most), limit=sys.maxsize)
    return text


def _thinned(words: Sequence[str], most: int) -> Iterator[str]:
    """The words in their order, each at most `most` times."""
    seen: Counter[str] = Counter()
    for word in words:
        seen[word] += 1
        if seen[word] <= most:
            yield word
