"""Which sequences share a batch: neighbours in length, bounded by tokens after padding."""

from collections.abc import Sequence

_VECTOR = 16
_PASS_TOKENS = 200
"""What a forward pass costs beside its tokens, in tokens: 3 ms where 1,000 took 15."""


def padded_length(length: int) -> int:
    """The column count for a longest sequence of `length` tokens, in whole vectors of 16.

    oneDNN's softmax takes a slow path for what is left over, and few distinct shapes bound what
    it keeps for each: all 211 within 1,024 tokens came to 0.7 GB of the shipped encoder's process.
    """
    return -(-length // _VECTOR) * _VECTOR


def plan_batches(lengths: Sequence[int], token_budget: int) -> list[list[int]]:
    """Positions of the sequences, grouped into batches, longest batch first.

    Each batch has at most `token_budget` tokens after padding, or one sequence. Of all such cuts
    of the sorted sequences it is the cheapest, padding weighed against the cost of a pass.
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    count = len(order)
    cheapest = [0] * (count + 1)
    """Cost in tokens of the sequences from each place on."""
    ends = [0] * count
    for start in reversed(range(count)):
        columns = padded_length(lengths[order[start]])
        rows = range(1, min(max(1, token_budget // columns), count - start) + 1)
        cheapest[start], ends[start] = min(
            (_PASS_TOKENS + each * columns + cheapest[start + each], start + each) for each in rows
        )
    batches: list[list[int]] = []
    start = 0
    while start < count:
        batches.append(order[start : ends[start]])
        start = ends[start]
    return batches
