"""The rule by which the fine phase stops before its depth, once no unread candidate matters.

The ranker's score of an unread candidate is predicted from its coarse log-odds, with a spread. An
unread candidate matters if its final score would enter the best k and reach a stated probability of
relevance; below that, the order is one of irrelevant documents. Reading ends when the expected
number of unread candidates that matter falls below a stated threshold.

It does not begin where the best candidate of the coarse phase has no rival: others would have to
pass it although it was assumed to score some spreads less than expected, and the expected number of
those that do is below a second threshold.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from services.common.blend import FittedWeights
from services.common.odds import probability
from services.rank.blend import Blend
from services.rank.features import FloatArray

PASS_CANDIDATES = 2
"""Number of candidates that are read between two looks at the rule.

Two take no longer than one on two cores. With a look after every eight the fine phase read twice as
many of the dev queries' candidates (docs/quality.md)."""


@dataclass(frozen=True, slots=True)
class StopRule:
    """A prediction of the ranker's log-odds, and the number of candidates that may remain open."""

    intercept: float
    slope: float
    """Slope of the expected log-odds of the ranker, which are intercept + slope * coarse
    log-odds."""
    spread: float
    """Scale of the logistic distribution around the expectation; above 0."""
    floor: float
    """Final log-odds that an unread candidate must reach to matter."""
    chance: float
    """Expected number of unread candidates that matter, below which reading ends."""
    doubt: float = 0.0
    """Number of spreads below its expectation at which the best candidate is assumed before
    anything was read."""
    rivals: float = 0.0
    """Expected number of candidates that would pass the best one, below which nothing is read; with
    0 reading always begins."""

    @classmethod
    def of(cls, weights: FittedWeights) -> Self | None:
        """The rule of fitted weights; None if they have none, so that the fine phase reads to its
        depth."""
        stop = weights.stop
        if stop is None:
            return None
        return cls(**stop.model_dump())

    def undisputed(
        self, blend: Blend, coarse: FloatArray, boosts: FloatArray | float = 0.0
    ) -> bool:
        """Whether reading need not begin.

        `coarse` holds the coarse log-odds of one or more candidates, best first with `boosts`.
        """
        boosts = np.broadcast_to(boosts, coarse.shape)
        read = self.intercept + self.slope * coarse[:1] - self.doubt * self.spread
        first = blend.final_odds(coarse[:1], read) + boosts[:1]
        return self.expected(blend, first, coarse[1:], 1, boosts[1:]) < self.rivals

    def settled(
        self,
        blend: Blend,
        final: FloatArray,
        unread: FloatArray,
        top_k: int,
        boosts: FloatArray | float = 0.0,
    ) -> bool:
        """Whether reading may end.

        `final` holds the final log-odds of the candidates that were read, with boosts, and `unread`
        the coarse log-odds of those that the fine phase could still read, to which `boosts` come.
        """
        return self.expected(blend, final, unread, top_k, boosts) < self.chance

    def expected(
        self,
        blend: Blend,
        final: FloatArray,
        unread: FloatArray,
        top_k: int,
        boosts: FloatArray | float = 0.0,
    ) -> float:
        """The expected number of unread candidates that matter.

        A boost helps a candidate to enter the best; it does not make it more relevant.
        """
        if not unread.size:
            return 0.0
        entry = -np.partition(-final, top_k - 1)[top_k - 1] if final.size >= top_k else -np.inf
        needed = np.maximum(float(entry) - boosts, self.floor)
        share = (needed - blend.fine_coarse * unread - blend.fine_bias) / blend.fine
        reachable = share < 1  # The ranker's probability is at most 1.
        share = np.clip(share[reachable], 1e-9, 1 - 1e-9)
        log_odds = np.log(share / (1 - share))
        beyond = (self.intercept + self.slope * unread[reachable] - log_odds) / self.spread
        return float(probability(beyond).sum())
