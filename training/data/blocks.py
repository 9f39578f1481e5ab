"""Divides the rows of a large table of numbers, so that few are in memory at a time."""

from collections.abc import Iterator

MOST_ROWS = 256
MOST_VALUES = 1 << 25
"""Most numbers of a block, 128 MiB as float32; a block has at least one row."""


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """The rows of each block of a table, in order."""
    size = max(1, min(MOST_ROWS, MOST_VALUES // max(columns, 1)))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))
