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
_FEW = 1_000
"""Number of positions whose texts are compared one by one. Only where more of them share their
first characters are they sorted by further ones."""


class SortedText:
    """The sorted positions of one form of the texts: their writing or their reading."""

    def __init__(self, text: str, starts: Places, scores: npt.NDArray[np.float32], chars: int):
        """`starts` are positions in `text`; they are sorted by the `chars` that follow them, and
        by as many more where thousands of texts begin alike."""
        self._text = text
        self._chars = chars
        self.order = self._sorted(starts)
        """Which of the starts stands at each place of the order."""
        self._places = starts[self.order]
        self._scores = scores[self.order]

    def best(self, prefix: str, count: int) -> list[tuple[int, float]]:
        """At most `count` starts that a prefix follows, best first, with their scores."""
        first, last, compared = self._range(prefix)
        following = np.arange(first, last)
        if compared < len(prefix):
            starts = self._places[first:last].tolist()
            follows = [self._text.startswith(prefix, start) for start in starts]
            following = following[np.array(follows, np.bool_)]
        if len(following) > count:
            following = following[np.argpartition(self._scores[following], -count)[-count:]]
        pairs = [(int(self.order[at]), float(self._scores[at])) for at in following]
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))

    def has(self, prefix: str) -> bool:
        """Whether a prefix follows any start."""
        return bool(self.best(prefix, 1))

    def _sorted(self, starts: Places) -> Places:
        """The order of the starts, in which each run of more than `_FEW` that share their first
        characters is sorted by those behind them."""
        wide = np.frombuffer((self._text + END * self._chars).encode("utf-32-le"), np.uint32)
        narrow = wide.astype(np.uint8) if self._text.isascii() else wide
        kind = f"S{self._chars}" if narrow.itemsize == 1 else f"U{self._chars}"
        windows = np.lib.stride_tricks.sliding_window_view(narrow, self._chars)
        order: Places = np.arange(len(starts), dtype=np.int32)
        unsorted = [(0, len(starts), 0)]
        while unsorted:
            first, last, compared = unsorted.pop()
            alike = order[first:last]
            at = np.minimum(starts[alike] + compared, len(self._text))
            keys = np.ascontiguousarray(windows[at]).view(kind).ravel()
            by_key = np.argsort(keys, kind="stable")
            order[first:last] = alike[by_key]
            keys = keys[by_key]
            changes = np.flatnonzero(keys[1:] != keys[:-1]) + 1
            bounds = np.concatenate([[0], changes, [last - first]]) + first
            unsorted += [
                (int(bounds[run]), int(bounds[run + 1]), compared + self._chars)
                for run in np.flatnonzero(np.diff(bounds) > _FEW)
            ]
        return order

    def _range(self, prefix: str) -> tuple[int, int, int]:
        """Where the starts lie that so many characters of a prefix follow: all of them, or fewer if
        only few starts are left."""
        text, compared = self._text, 0
        places: Sequence[int] = self._places  # type: ignore[assignment]
        first, last = 0, len(places)

        def following(place: int) -> str:
            return text[place : place + compared]

        while compared < len(prefix) and (not compared or last - first > _FEW):
            compared = min(compared + self._chars, len(prefix))
            wanted = prefix[:compared]
            first = bisect_left(places, wanted, first, last, key=following)
            last = bisect_right(places, wanted, first, last, key=following)
        return first, last, compared
