"""Chooses the part of a long text that is read beside a query: its beginning, or one that has many
more of the query's words.

A cross-encoder reads a bounded number of tokens, and the answer may stand behind them.
"""

import re
from bisect import bisect_left
from itertools import accumulate, takewhile

from services.common.text.normalise import HAN

_RUN = re.compile(rf"[{HAN}]+|[^\W_{HAN}]+")
_HAN_START = re.compile(rf"[{HAN}]")
_SENTENCE = re.compile(r".{1,120}?(?:[。！？；!?;\n]+|[.．](?=\s)|$)|.{120}", re.DOTALL)
"""A sentence, or 120 characters of one that is longer."""
_MORE = 0.2
"""Share of the query's terms that a part must hold beyond those of the beginning."""
_LEAST_BYTES = 120
"""Where the query leaves room for fewer bytes of the text, no part is looked for."""


def terms(query: str) -> frozenset[str]:
    """The words of a query in lower case: those of letters and digits whole, Chinese ones as pairs
    of neighbouring characters."""
    found: set[str] = set()
    for run in _RUN.findall(query.casefold()):
        if _HAN_START.match(run) and len(run) > 1:
            found.update(run[at : at + 2] for at in range(len(run) - 1))
        else:
            found.add(run)
    return frozenset(found)


def excerpt(text: str, wanted: frozenset[str], size: int) -> str:
    """The text, from the place on where `size` bytes of UTF-8 hold most of the wanted terms.

    That is its beginning, which says what a text is about, unless another part holds a fifth more
    of the terms. Where several sentences in a row begin such a part, the middle one is taken, so
    that the terms stand between their neighbours. What follows those bytes is left on, for whoever
    cuts it to tokens.
    """
    if size < _LEAST_BYTES or len(text.encode()) <= size:
        return text
    sentences = _SENTENCE.findall(text)
    ends = list(accumulate(len(sentence.encode()) for sentence in sentences))
    held = [
        frozenset(term for term in wanted if term in sentence)
        for sentence in map(str.casefold, sentences)
    ]
    counts: list[int] = []
    for first, begin in enumerate((0, *ends)):
        last = max(first + 1, bisect_left(ends, begin + size + 1))
        counts.append(len(frozenset().union(*held[first:last])))
        if last == len(sentences):
            break
    most = max(counts)
    if most - counts[0] < max(_MORE * len(wanted), 1):
        return text
    first = counts.index(most)
    run = len(list(takewhile(most.__eq__, counts[first:])))
    return "".join(sentences[first + run // 2 :])
