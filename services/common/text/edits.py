"""Edits of a text that keep the place in the raw text from which each character comes."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Edit = tuple[int, int, str]
"""Start and end of a span, and the text that replaces it."""


@dataclass(frozen=True, slots=True)
class Normalised:
    """A text in normal form and where each of its characters lies in the raw text."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def raw_span(self, start: int, end: int) -> tuple[int, int]:
        """Start and end in the raw text of the characters [start, end), at least one."""
        return self.starts[start], self.ends[end - 1]


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of difference and the way to remove it.

    `plain` changes a whole text at once; applying `edits` gives the same.
    """

    plain: Callable[[str], str]
    edits: Callable[[str], Iterator[Edit]]


def edited(old: Normalised, edits: Sequence[Edit]) -> Normalised:
    """The text after edits, which are in order and do not overlap."""
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for start, end, new in edits:
        pieces += (old.text[at:start], new)
        starts += old.starts[at:start]
        ends += old.ends[at:start]
        if len(new) == end - start:
            starts += old.starts[start:end]
            ends += old.ends[start:end]
        else:
            starts += [old.starts[start]] * len(new)
            ends += [old.ends[end - 1]] * len(new)
        at = end
    pieces.append(old.text[at:])
    starts += old.starts[at:]
    ends += old.ends[at:]
    return Normalised("".join(pieces), starts, ends)


def replacing(pattern: str, new: Callable[[re.Match[str]], str]) -> Step:
    """A step that replaces each match of a pattern by what `new` makes of it."""
    compiled = re.compile(pattern)

    def edits(text: str) -> Iterator[Edit]:
        for match in compiled.finditer(text):
            replacement = new(match)
            if replacement != match[0]:
                yield match.start(), match.end(), replacement

    return Step(lambda text: compiled.sub(new, text), edits)
