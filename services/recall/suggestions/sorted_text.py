"""Texts that are found by the beginning of any of their words, in little memory.

All texts are one string, and the positions where words begin are sorted by the text that follows
them, as in a suffix array. A position takes twelve bytes, a character one or two.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int32]

END = "\0"
"""Character that separates two texts."""
_FEW = 4_096
"""Number of positions that are compared one by one if a prefix is longer than the sorted
characters."""


class SortedText:
    """The sorted positions of one form of the texts: their writing or their reading."""

    def __init__(self, text: str, starts: Places, scores: npt.NDArray[np.float32], chars: int):
        """`starts` are positions in `text`; they are sorted by the `chars` that follow them."""
        self._text = text
        self._chars = chars
        wide = np.frombuffer((text + END * chars).encode("utf-32-le"), np.uint32)
        narrow = wide.astype(np.uint8) if text.isascii() else wide
        kind = f"S{chars}" if narrow.itemsize == 1 else f"U{chars}"
        windows = np.ascontiguousarray(
            np.lib.stride_tricks.sliding_window_view(narrow, chars)[starts]
        )
        self.order: Places = np.argsort(windows.view(kind).ravel(), kind="stable").astype(np.int32)
        """Which of the starts stands at each place of the order."""
        self._places = starts[self.order]
        self._scores = scores[self.order]

    def best(self, prefix: str, count: int) -> list[tuple[int, float]]:
        """At most `count` starts that a prefix follows, best first, with their scores."""
        first, last = self._range(prefix[: self._chars])
        if last - first > count and len(prefix) <= self._chars:
            chosen = np.argpartition(self._scores[first:last], -count)[-count:] + first
        else:
            chosen = np.arange(first, min(last, first + _FEW))
        pairs = [(int(self.order[at]), float(self._scores[at])) for at in chosen]
        if len(prefix) > self._chars:
            starts = self._places[chosen]
            pairs = [
                pair
                for pair, start in zip(pairs, starts, strict=True)
                if self._text.startswith(prefix, int(start))
            ]
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:count]

    def has(self, prefix: str) -> bool:
        """Whether a prefix follows any start."""
        return bool(self.best(prefix, 1))

    def _range(self, prefix: str) -> tuple[int, int]:
        text, length = self._text, len(prefix)
        places: Sequence[int] = self._places  # type: ignore[assignment]

        def following(place: int) -> str:
            return text[place : place + length]

        first = bisect_left(places, prefix, key=following)
        return first, bisect_right(places, prefix, lo=first, key=following)
