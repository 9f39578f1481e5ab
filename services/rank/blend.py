"""Makes one probability of relevance of the features and the model's logit.

Two logistic models make scores comparable across queries, and between candidates that the fine
phase read and those that it did not. `services/common/blend.py` says where their weights lie.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from services.common.blend import BLEND, FittedWeights, read_weights
from services.common.errors import ModelInvalid
from services.common.odds import probability
from services.rank.features import NAMES, FloatArray


@dataclass(frozen=True, slots=True)
class Blend:
    """The weights of both logistic models."""

    coarse: tuple[float, ...]
    """Weights of the coarse features, in the order of NAMES."""
    coarse_bias: float
    fine: float
    """Weight of the ranker's probability of relevance, 0 to 1.

    Log-odds have no bound, and one that is far off would outweigh all that recall knows; the
    probability cannot, and it bounds what an unread candidate may still gain."""
    fine_coarse: float
    """Weight of the coarse log-odds for candidates that the ranker read."""
    fine_bias: float
    reads_topics: bool = True
    """Whether the ranker reads for a query that gives no detail. A ranker that learnt from
    questions may do worse there than what recall knows."""
    ranker: str = ""
    """Fingerprint of the ranker for which the weights were fitted; empty if it is not known."""

    @classmethod
    def of(cls, weights: FittedWeights) -> Self:
        """The blend of fitted weights. Raises ModelInvalid if these belong to other features than
        NAMES."""
        if set(weights.coarse) != set(NAMES):
            raise ModelInvalid(
                "the weights of the coarse phase are of other features than this version has;"
                " `xunwen eval blend` fits them again"
            )
        return cls(
            coarse=tuple(weights.coarse[name] for name in NAMES),
            coarse_bias=weights.coarse_bias,
            fine=weights.fine,
            fine_coarse=weights.fine_coarse,
            fine_bias=weights.fine_bias,
            reads_topics=weights.reads_topics,
            ranker=weights.ranker,
        )

    @property
    def uses_ranker(self) -> bool:
        """Whether the ranker's score counts; if not, the fine phase is skipped."""
        return self.fine > 0

    def reads(self, detail: float) -> bool:
        """Whether the ranker reads anything for a query that gives so much detail."""
        return self.uses_ranker and (detail > 0 or self.reads_topics)

    def coarse_odds(self, features: FloatArray) -> FloatArray:
        """Log-odds [n] from features [n, NAMES] alone."""
        odds: FloatArray = features @ np.array(self.coarse) + self.coarse_bias
        return odds

    def final_odds(self, coarse: FloatArray, fine: FloatArray) -> FloatArray:
        """Log-odds [n]: blended for candidates with the ranker's log-odds `fine`, the coarse ones
        if these are NaN."""
        blended = self.fine * probability(fine) + self.fine_coarse * coarse + self.fine_bias
        return np.where(np.isnan(fine), coarse, blended)


def read_blend(path: Path = BLEND) -> Blend:
    """The blend of a file. Raises ModelInvalid if the file holds no blend of these features."""
    return Blend.of(read_weights(path))
