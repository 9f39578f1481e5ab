"""Fits the model of the dense leg's weight to judged queries."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from services.common.odds import probability
from services.common.text import WordAnalyzer
from services.recall.legs.query_fusion import NAMES, evidence
from training.evaluation.listwise import Floats
from training.evaluation.pools import Legs

_DEPTH = 100
"""Documents of each leg that compete in the fit; the order of the others changes nothing."""
_RIDGE = 3e-4
"""Strength of the ridge penalty, which pulls weights to 0 that the dev queries do not support."""
_FIRST_SHARPNESS = 20.0


@dataclass(frozen=True, slots=True)
class FusionSample:
    """One query: its evidence, and the documents of both legs that compete."""

    group: str
    """Task and kind of the query; the fit gives small groups more weight for each query."""
    evidence: Floats
    dense: Floats
    """Scores of the dense leg [documents], stretched to [0, 1] over all that it found."""
    lexical: Floats
    relevant: np.ndarray[tuple[int], np.dtype[np.bool_]]


def sample_of(
    group: str, query: str, legs: Legs, wanted: set[str], analyzer: WordAnalyzer
) -> FusionSample | None:
    """The sample of a query; None if a leg found nothing, since there is nothing to weigh then."""
    if not legs.dense or not legs.lexical:
        return None
    dense, lexical = ({each.id: each.score for each in leg} for leg in (legs.dense, legs.lexical))
    ids = sorted({each.id for leg in (legs.dense, legs.lexical) for each in leg[:_DEPTH]})
    return FusionSample(
        group,
        evidence(query, legs.dense, legs.lexical, analyzer),
        _stretched(dense, ids),
        _stretched(lexical, ids),
        np.array([id_ in wanted for id_ in ids]),
    )


def _stretched(scores: dict[str, float], ids: Sequence[str]) -> Floats:
    best, worst = max(scores.values()), min(scores.values())
    if best <= worst:
        return np.array([1.0 if id_ in scores else 0.0 for id_ in ids])
    return np.array([(scores.get(id_, worst) - worst) / (best - worst) for id_ in ids])


def fit_fusion(samples: Sequence[FusionSample]) -> Floats:
    """Weights [NAMES] of the evidence, whose sum is the log-odds of the dense leg's share.

    They minimise the softmax loss of the relevant documents under the fused scores (ListNet; Cao
    et al., ICML 2007); the sharpness of the softmax is fitted together with them.
    """
    sizes: dict[str, int] = {}
    for sample in samples:
        sizes[sample.group] = sizes.get(sample.group, 0) + 1
    judged = [sample for sample in samples if sample.relevant.any()]
    shares = np.array([sizes[sample.group] ** -0.5 for sample in judged])
    shares /= shares.sum()

    def loss(parameters: Floats) -> tuple[float, Floats]:
        weights, sharpness = parameters[:-1], float(np.exp(parameters[-1]))
        total = _RIDGE * float(weights @ weights)
        slope = np.append(2 * _RIDGE * weights, 0.0)
        for sample, share in zip(judged, shares, strict=True):
            dense_share = float(probability(sample.evidence @ weights))
            fused = dense_share * sample.dense + (1 - dense_share) * sample.lexical
            scores = sharpness * (fused - fused.max())
            mass = np.exp(scores)
            mass /= mass.sum()
            hit = max(float(mass[sample.relevant].sum()), 1e-30)
            total -= share * np.log(hit)
            pull = mass - np.where(sample.relevant, mass / hit, 0.0)
            by_share = sharpness * float(pull @ (sample.dense - sample.lexical))
            by_share *= dense_share * (1 - dense_share)
            slope[:-1] += share * by_share * sample.evidence
            slope[-1] += share * float(pull @ scores)
        return total, slope

    start = np.append(np.zeros(len(NAMES)), np.log(_FIRST_SHARPNESS))
    found = minimize(loss, start, jac=True, method="L-BFGS-B")
    weights: Floats = found.x[:-1]
    return weights


def dense_share(sample: FusionSample, weights: Floats) -> float:
    """The dense leg's weight for a query, 0 to 1, by fitted weights."""
    return float(probability(sample.evidence @ weights))


def reciprocal_rank(sample: FusionSample, share: float) -> float:
    """Reciprocal rank at 10 of the first relevant document, with the legs fused by a dense
    weight."""
    fused = share * sample.dense + (1 - share) * sample.lexical
    best = np.argsort(-fused, kind="stable")[:10]
    places = np.flatnonzero(sample.relevant[best])
    return 1.0 / (1 + int(places[0])) if places.size else 0.0
