"""Chooses the part of a long text that is read beside a query: its beginning, or one that has many
more of the query's words.

A cross-encoder reads a bounded number of tokens, and the answer may stand behind them.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, chain, pairwise, takewhile

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
    held = _held(sentences, wanted)
    counts: list[int] = []
    within: dict[str, int] = {}
    last = 0
    for first, begin in enumerate((0, *ends)):
        begun, last = last, max(first + 1, bisect_left(ends, begin + size + 1))
        for term in chain.from_iterable(held[begun:last]):
            within[term] = within.get(term, 0) + 1
        counts.append(len(within))
        if last == len(sentences):
            break
        for term in held[first]:
            within[term] -= 1
            if not within[term]:
                del within[term]
    most = max(counts)
    if most - counts[0] < max(_MORE * len(wanted), 1):
        return text
    first = counts.index(most)
    run = len(list(takewhile(most.__eq__, counts[first:])))
    return "".join(sentences[first + run // 2 :])


def _held(sentences: Sequence[str], wanted: frozenset[str]) -> list[frozenset[str]]:
    """The terms in each sentence, with one that continues in the next: a line may end anywhere in
    a Chinese text."""
    held = [
        frozenset(term for term in wanted if term in sentence)
        for sentence in map(str.casefold, sentences)
    ]
    pairs = frozenset(term for term in wanted if len(term) == 2 and _HAN_START.match(term))
    for place, (one, other) in enumerate(pairwise(sentences)):
        if (pair := one.rstrip()[-1:] + other.lstrip()[:1]) in pairs:
            held[place] |= {pair}
    return held
