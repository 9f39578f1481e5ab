"""Which sequences share a pass: neighbours in length, bounded by tokens after padding."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passes:
    """What forward passes of an engine are like."""

    at_once: int
    """1 where a pass takes all the cores, else how many passes share them."""
    token_budget: int
    """Padded tokens of a pass. More is slower: activations leave the caches."""
    own_tokens: int
    """What a pass costs beside its tokens, in tokens."""
    step: int
    """Columns are multiples of it."""

    def columns(self, length: int) -> int:
        """The column count for a longest sequence of `length` tokens."""
        return -(-length // self.step) * self.step


def plan_batches(lengths: Sequence[int], passes: Passes) -> list[list[int]]:
    """Positions of the sequences, grouped into batches, longest batch first.

    Each batch is within the token budget after padding, or one sequence. Of all such cuts of the
    sorted sequences it is the cheapest, padding weighed against the cost of a pass.
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    count = len(order)
    cheapest = [0] * (count + 1)
    """Cost in tokens of the sequences from each place on."""
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
