"""Measures of runs, by ir_measures, with bootstrap intervals over the queries.

Every query of the task counts, also one without an answer: a query that a run lacks scores 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG
from numpy.typing import NDArray

from training.data.blocks import blocks

MEASURES = (R @ 1, R @ 5, R @ 10, R @ 20, R @ 50, R @ 100, R @ 1000, RR @ 10, nDCG @ 10)
NAMES = ("R@1", "R@5", "R@10", "R@20", "R@50", "R@100", "R@1000", "MRR@10", "nDCG@10")

BOOTSTRAP_ROUNDS = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over queries and the interval in which it lies, in [0, 1]."""

    mean: float
    low: float
    high: float


Qrels = Mapping[str, Mapping[str, int]]
Ranking = Mapping[str, Sequence[str]]
"""Document ids of each query id, best first."""


def per_query(qrels: Qrels, ranking: Ranking) -> dict[str, NDArray[np.float64]]:
    """Values of each measure, in the order of `qrels`."""
    # Ranks become scores, since pytrec_eval sorts equal scores by document id, while users see a
    # run in its own order.
    run = {
        query: {document: float(-rank) for rank, document in enumerate(documents)}
        for query, documents in ranking.items()
        if query in qrels
    }
    row_of = {query: row for row, query in enumerate(qrels)}
    name_of = dict(zip(MEASURES, NAMES, strict=True))
    values = {name: np.zeros(len(qrels)) for name in NAMES}
    for metric in ir_measures.iter_calc(MEASURES, qrels, run):
        values[name_of[metric.measure]][row_of[metric.query_id]] = metric.value
    return values


def estimate(values: NDArray[np.float64], seed: int = 0) -> Estimate:
    """Mean with a percentile bootstrap interval (Efron and Tibshirani, 1993)."""
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            values[rng.integers(0, len(values), size=(part.stop - part.start, len(values)))].mean(
                axis=1
            )
            for part in blocks(BOOTSTRAP_ROUNDS, len(values))
        ]
    )
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Estimate(float(values.mean()), float(low), float(high))


def measure(qrels: Qrels, ranking: Ranking) -> dict[str, Estimate]:
    return {name: estimate(values) for name, values in per_query(qrels, ranking).items()}
