"""Words of a query that a text holds, also in another spelling: a quantity with a space before its
unit, and a Chinese word that a line end divides."""

import re
from collections.abc import Collection, Iterable

from services.common.text.analyzer import compared
from services.common.text.expressions import spaced
from services.common.text.normalise import HAN

_LINE_END = re.compile(rf"[\r\n](?<=[{HAN}].)\s*(?=[{HAN}])", re.DOTALL)
"""A line end between two Chinese characters, where it says nothing."""


def with_spellings(text: str, folded: str, words: Iterable[str]) -> str:
    """A text as `compared` writes it, `folded`, and behind it, each on a line, those of the words
    that it holds in another spelling only."""
    absent = [word for word in words if word not in folded]
    other = [word for word in absent if (way := spaced(word)) and way in folded]
    # Few texts are worth a second look, which takes as long as the first.
    if absent and _LINE_END.search(text):
        squeezed = folded.replace(" ", "")
        if maybe := [word for word in absent if word in squeezed]:
            whole = compared(_LINE_END.sub("", text))
            other += [word for word in maybe if word in whole]
    return "\n".join((folded, *other)) if other else folded


def held_share(words: Collection[str], content: str) -> float:
    """The share of the characters of words that stand in a content, words weighed by length; 0
    without words. The content is as `with_spellings` writes it."""
    total = sum(map(len, words))
    return sum(len(word) for word in words if word in content) / total if total else 0.0
