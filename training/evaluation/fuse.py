"""Fusion of a dense and a lexical score matrix, both float32 [queries, documents]."""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]

RRF_K = 10
"""The usual 60 suits many weak legs; with two strong ones the first ranks should weigh more."""


def min_max(scores: Scores) -> Scores:
    """Each row stretched to [0, 1]; a row of equal scores becomes 0."""
    low = scores.min(axis=1, keepdims=True)
    span = scores.max(axis=1, keepdims=True) - low
    stretched: Scores = (scores - low) / np.where(span > 0, span, 1)
    return stretched


def weighted(dense: Scores, lexical: Scores, dense_weight: float) -> Scores:
    return dense_weight * min_max(dense) + (1 - dense_weight) * min_max(lexical)


def reciprocal_rank(dense: Scores, lexical: Scores, k: int = RRF_K) -> Scores:
    """Sum of 1 / (k + rank); a document that shares no word has no lexical rank."""
    fused = np.zeros_like(dense)
    for leg in (dense, lexical):
        order = np.argsort(-leg, axis=1, kind="stable")
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(1, leg.shape[1] + 1)[None, :], axis=1)
        fused += np.where(leg > 0, 1.0 / (k + ranks), 0.0).astype(np.float32)
    return fused
