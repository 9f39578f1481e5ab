"""Divides sequences into passes: neighbours in length, bounded by tokens after padding."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passes:
    """The properties of an engine's forward passes, and their cost."""

    at_once: int
    """Number of passes that run side by side; 1 where a pass takes all the cores."""
    token_budget: int
    """Padded tokens that a pass may hold. More is slower, because activations leave the caches."""
    own_tokens: int
    """Fixed cost of a pass, in tokens that could be computed in its time."""
    step: int
    """Number of which the columns of a pass are a multiple."""

    def columns(self, length: int) -> int:
        """Columns of a pass whose longest sequence has `length` tokens."""
        return -(-length // self.step) * self.step


def plan_batches(lengths: Sequence[int], passes: Passes) -> list[list[int]]:
    """Positions of the sequences, grouped into batches, longest batch first.

    Each batch is within the token budget after padding, or one sequence. Of all such cuts of the
    sorted sequences it is the cheapest, padding weighed against the cost of a pass.
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    count = len(order)
    cheapest = [0] * (count + 1)
    """Cost, in tokens, of the sequences from each place to the end."""
    ends = [0] * count
    for start in reversed(range(count)):
        columns = passes.columns(lengths[order[start]])
        rows = range(1, min(max(1, passes.token_budget // columns), count - start) + 1)
        cheapest[start], ends[start] = min(
            (passes.own_tokens + each * columns + cheapest[start + each], start + each)
            for each in rows
        )
    batches: list[list[int]] = []
    start = 0
    while start < count:
        batches.append(order[start : ends[start]])
        start = ends[start]
    return batches
