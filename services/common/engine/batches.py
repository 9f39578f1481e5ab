"""Which sequences share a batch: neighbours in length, bounded by tokens after padding."""

from collections.abc import Sequence


def padded_length(length: int) -> int:
    """The column count for a longest sequence of `length` tokens.

    Few distinct shapes keep oneDNN's per-shape caches small; the steps cost little padding.
    """
    step = 4 if length <= 64 else 16
    return -(-length // step) * step


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
