"""A linear score that puts the relevant candidate first, and its calibration to log-odds.

Weights cannot be negative: more of a feature never lowers a score, so the fit cannot turn an
accident of a small sample against a user.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from services.common.odds import probability

Floats = NDArray[np.float64]

_RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Sample:
    """The candidates of one query."""

    features: Floats
    """Features, float [candidates, columns]."""
    relevant: NDArray[np.bool_]
    """Relevance, bool [candidates]; at least one is true."""
    weight: float = 1.0
    """Share of the query in the loss, in proportion to the others."""


@dataclass(frozen=True, slots=True)
class Linear:
    """The linear score: log-odds = features @ weights + bias."""

    weights: Floats
    bias: float

    def __call__(self, features: Floats) -> Floats:
        odds: Floats = features @ self.weights + self.bias
        return odds


def fit(samples: Sequence[Sample]) -> Linear:
    """Fits weights by the softmax loss over each query's candidates (ListNet; Cao et al., ICML
    2007).

    The score is then scaled and shifted so that its logistic is the share of relevant candidates
    (Platt, 1999).
    """
    columns = samples[0].features.shape[1]
    whole = sum(sample.weight for sample in samples)

    def loss(weights: Floats) -> tuple[float, Floats]:
        total, slope = _RIDGE * float(weights @ weights), 2 * _RIDGE * weights
        for sample in samples:
            scores = sample.features @ weights
            scores -= scores.max()
            mass = np.exp(scores)
            chances = mass / mass.sum()
            hit = chances[sample.relevant].sum()
            share = sample.weight / whole
            total -= share * np.log(max(hit, 1e-30))
            inside = np.where(sample.relevant, chances / max(hit, 1e-30), 0.0)
            slope = slope + share * ((chances - inside) @ sample.features)
        return total, slope

    found = minimize(
        loss, np.ones(columns), jac=True, method="L-BFGS-B", bounds=[(0, None)] * columns
    )
    scores = np.concatenate([sample.features @ found.x for sample in samples])
    relevant = np.concatenate([sample.relevant for sample in samples])
    scale, bias = _platt(scores, relevant)
    return Linear(found.x * scale, bias)


def _platt(scores: Floats, relevant: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope (above 0) and intercept of the logistic regression of relevance on the score."""
    sign = np.where(relevant, 1.0, -1.0)
    centre = float(scores.mean())

    def loss(parameters: Floats) -> tuple[float, Floats]:
        margin = sign * (parameters[0] * (scores - centre) + parameters[1])
        pull = -sign * probability(-margin)
        slope = np.array([pull @ (scores - centre), pull.sum()]) / len(scores)
        return float(np.logaddexp(0, -margin).mean()), slope

    found = minimize(
        loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(1e-3, None), (None, None)]
    )
    return float(found.x[0]), float(found.x[1] - found.x[0] * centre)
