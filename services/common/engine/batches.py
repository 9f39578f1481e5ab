"""Which sequences share a batch: neighbours in length, bounded by tokens after padding."""

from collections.abc import Sequence

_VECTOR = 16


def padded_length(length: int) -> int:
    """The column count for a longest sequence of `length` tokens, in whole vectors of 16.

    oneDNN's softmax takes a slow path for what is left over, and few distinct shapes bound what
    it keeps for each: all 211 within 1,024 tokens came to 0.7 GB of the shipped encoder's process.
    """
    return -(-length // _VECTOR) * _VECTOR


def plan_batches(lengths: Sequence[int], token_budget: int) -> list[list[int]]:
    """Positions of the sequences, grouped into batches, longest batch first.

    Each batch has at most `token_budget` tokens after padding, or one sequence.
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    batches: list[list[int]] = []
    start = 0
    while start < len(order):
        columns = padded_length(lengths[order[start]])
        rows = max(1, token_budget // columns)
        batches.append(order[start : start + rows])
        start += rows
    return batches
