"""From features and the model's logit to one probability of relevance.

Two logistic models, so that scores are comparable across queries and between candidates that
the fine phase reached and those that it did not. Their weights were fitted on the dev split of
the literature papers; `python -m benchmarks.blend` fits them again for another model.
"""

from dataclasses import dataclass

import numpy as np

from services.rank.features import NAMES, FloatArray


@dataclass(frozen=True, slots=True)
class Blend:
    """Weights of log-odds."""

    coarse: tuple[float, ...]
    """One per feature of NAMES."""
    coarse_bias: float
    fine: float
    """Of the ranker's calibrated log-odds."""
    fine_coarse: float
    """Of the coarse log-odds, where the ranker was asked."""
    fine_bias: float

    def coarse_odds(self, features: FloatArray) -> FloatArray:
        """Log-odds [n] from features alone."""
        odds: FloatArray = features @ np.array(self.coarse) + self.coarse_bias
        return odds

    def final_odds(self, coarse: FloatArray, fine: FloatArray) -> FloatArray:
        """Log-odds [n]; where `fine` is NaN, the coarse ones."""
        blended = self.fine * fine + self.fine_coarse * coarse + self.fine_bias
        return np.where(np.isnan(fine), coarse, blended)


def probability(odds: FloatArray) -> FloatArray:
    """The logistic function, safe for any magnitude."""
    result: FloatArray = 0.5 * (1.0 + np.tanh(0.5 * odds))
    return result


def plain_blend() -> Blend:
    weights = dict.fromkeys(NAMES, 0.0)
    weights |= {"recall_relative": 8.0, "title_match": 2.0}
    return Blend(tuple(weights.values()), -6.0, 0.5, 1.0, 0.0)
