"""Groups similar examples, so that the negatives of a batch are hard.

Among random texts the right one is soon too easy to tell. Batches of similar texts teach more in
the same time (TAS-Balanced: Hofstätter et al., 2021).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.common.engine.predictor import FloatArray

Rows = NDArray[np.intp]

GROUP = 96
"""Most rows of a group; the shipped encoder was trained with batches of this size."""
_ROUNDS = 4


def neighbourhoods(vectors: FloatArray, rng: np.random.Generator) -> list[Rows]:
    """The rows of `vectors`, float32 [rows, dimension], in groups of similar rows; each row is in
    one group.

    Halves the rows again and again across a direction of much variance. `rng` chooses where the
    search for it starts, so that each epoch has other neighbours.
    """
    return list(_halves(vectors, np.arange(len(vectors)), rng))


def _halves(vectors: FloatArray, rows: Rows, rng: np.random.Generator) -> Iterator[Rows]:
    if len(rows) <= GROUP:
        yield rows
        return
    centred = vectors[rows] - vectors[rows].mean(axis=0)
    direction = rng.standard_normal(vectors.shape[1], dtype=np.float32)
    for _ in range(_ROUNDS):
        direction = centred.T @ (centred @ direction)
        direction /= np.linalg.norm(direction) + np.finfo(np.float32).tiny
    ordered = rows[np.argsort(centred @ direction)]
    middle = len(rows) // 2
    yield from _halves(vectors, ordered[:middle], rng)
    yield from _halves(vectors, ordered[middle:], rng)
