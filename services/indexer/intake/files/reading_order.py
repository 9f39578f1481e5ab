"""The order in which recognised pieces of text are read: lines from the top down, columns from left
to right."""

from collections.abc import Sequence
from dataclasses import dataclass

_FACING = 3
"""Number of lines on each side of a gap from which on the sides are columns."""
_CROSSING = 0.5
"""Largest share of a page's pieces that may stand across the gap between two columns."""
_SAME_LINE = 0.5
"""Share of the lower one's height that two pieces of one line have in common."""
_BESIDE = 0.5
"""Share of the narrower one's width below which two pieces stand beside each other."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text with the edges of its box in pixels, from the page's top left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> float:
        """Middle of the height."""
        return (self.top + self.bottom) / 2


def lines_of(pieces: Sequence[Piece]) -> list[str]:
    """The lines of a page in the order in which they are read.

    What stands across columns, such as a title or a wide table, is read between what is above and
    what is below it.
    """
    gap = _gap(pieces)
    if gap is None:
        return [" ".join(piece.text for piece in line) for line in _rows(pieces)]
    across = sorted((piece for piece in pieces if _side(piece, gap) == 0), key=lambda one: one.top)
    lines: list[str] = []
    rest = [piece for piece in pieces if _side(piece, gap)]
    for limit in [*across, None]:
        above = [piece for piece in rest if limit is None or piece.middle < limit.middle]
        rest = [piece for piece in rest if limit is not None and piece.middle >= limit.middle]
        for side in (-1, 1):
            lines += lines_of([piece for piece in above if _side(piece, gap) == side])
        if limit is not None:
            lines.append(limit.text)
    return lines


def _gap(pieces: Sequence[Piece]) -> float | None:
    """The place between two columns that the fewest pieces cross; None if there are no columns."""
    best, fewest = None, _CROSSING * len(pieces)
    for edge in sorted({piece.right for piece in pieces}):
        right = [piece for piece in pieces if piece.left > edge]
        if not right:
            continue
        place = (edge + min(piece.left for piece in right)) / 2
        left = [piece for piece in pieces if piece.right < place]
        crossing = len(pieces) - len(left) - len(right)
        if crossing < fewest and min(_facing(left, right), _facing(right, left)) >= _FACING:
            best, fewest = place, crossing
    return best


def _facing(some: Sequence[Piece], others: Sequence[Piece]) -> int:
    """How many pieces stand beside one of the others."""
    return sum(any(one.top < each.middle < one.bottom for each in others) for one in some)


def _side(piece: Piece, gap: float) -> int:
    """-1 to the left of a gap, 1 to its right, 0 across it."""
    return -1 if piece.right < gap else 1 if piece.left > gap else 0


def _rows(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """The pieces by line, each line from left to right."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda one: one.middle):
        if rows and _same_line(rows[-1][-1], piece):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [sorted(row, key=lambda one: one.left) for row in rows]


def _same_line(above: Piece, below: Piece) -> bool:
    common = min(above.bottom, below.bottom) - max(above.top, below.top)
    lower = min(above.bottom - above.top, below.bottom - below.top)
    shared = min(above.right, below.right) - max(above.left, below.left)
    narrower = min(above.right - above.left, below.right - below.left)
    return shared < _BESIDE * narrower and common > _SAME_LINE * lower
