"""Exact search: the best of all documents, every one of which is scored."""

import numpy as np
from numpy.typing import NDArray

DEPTH = 1000


def top(scores: NDArray[np.float32], depth: int) -> NDArray[np.int64]:
    """Row numbers of the best documents of each query, best first; equal scores in corpus order.

    The order of equal scores must not depend on the answer, or ties would flatter the measures.
    """
    depth = min(depth, scores.shape[1])
    if depth < scores.shape[1]:
        # All documents that tie with the last one stay, so that the cut is in corpus order too.
        last = -np.partition(-scores, depth - 1, axis=1)[:, depth - 1 : depth]
    else:
        last = scores.min(axis=1, keepdims=True)
    best = np.empty((scores.shape[0], depth), dtype=np.int64)
    for row, (line, least) in enumerate(zip(scores, last, strict=True)):
        kept = np.flatnonzero(line >= least)
        best[row] = kept[np.argsort(-line[kept], kind="stable")][:depth]
    return best
