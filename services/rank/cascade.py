"""The cascade behind recall: coarse over all, fine over the best, and the last selection."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.common.errors import SearchError
from services.common.request_context import Deadline
from services.common.stopwatch import Stopwatch
from services.common.text import WordAnalyzer
from services.common.wire.rank import RankedHit
from services.common.wire.recall import Candidate
from services.common.wire.stages import Stage
from services.rank.blend import Blend, probability
from services.rank.duplicates import select, shingles
from services.rank.features import NAMES, FloatArray, Query, coarse_features

logger = logging.getLogger(__name__)

_SPARE_SECONDS = 0.005
"""Kept of the budget for the selection and the answer."""
_SELECTED_FROM = 5
"""Times top_k: how far down the order the last selection looks."""


class FineRanker(Protocol):
    """A cross-encoder."""

    async def log_odds(
        self, query: str, candidates: Sequence[Candidate], deadline: Deadline
    ) -> npt.NDArray[np.float32]:
        """Calibrated log-odds [n] of candidates given best first; NaN where time ran out.

        Raises Overloaded, ModelUnavailable.
        """


@dataclass(frozen=True, slots=True)
class Ranked:
    hits: list[RankedHit]
    stages: list[Stage]
    degraded: list[str]


@dataclass(frozen=True, slots=True)
class Cascade:
    """Orders candidates. Shared by all requests."""

    ranker: FineRanker
    analyzer: WordAnalyzer
    blend: Blend
    duplicate: float
    """Similarity from which a document counts as a copy of a better one."""

    async def rank(
        self,
        query: str,
        candidates: Sequence[Candidate],
        *,
        top_k: int,
        keep: int,
        diversity: float,
        explain: bool,
        deadline: Deadline,
    ) -> Ranked:
        """The best top_k. Never raises for lack of time or of the model: `degraded` says so."""
        watch = Stopwatch()
        degraded: list[str] = []
        with watch.stage("coarse") as lap:
            lap.candidates = len(candidates)
            features = await asyncio.to_thread(self._features, query, candidates)
            coarse = self.blend.coarse_odds(features)
            order = np.argsort(-coarse, kind="stable")
        fine = np.full(len(candidates), np.nan)
        if self.blend.uses_ranker:
            with watch.stage("fine") as lap:
                best = order[:keep]
                fine[best] = await self._fine(query, [candidates[at] for at in best], deadline)
                lap.candidates = int(np.count_nonzero(~np.isnan(fine[best])))
                if lap.candidates < len(best):
                    degraded.append("rank")
        with watch.stage("rerank") as lap:
            odds = self.blend.final_odds(coarse, fine)
            order = np.argsort(-odds, kind="stable")[: top_k * _SELECTED_FROM]
            lap.candidates = len(order)
            scores = probability(odds)
            chosen = select(
                [float(scores[at]) for at in order],
                [shingles(candidates[at], self.analyzer) for at in order],
                top_k=top_k,
                diversity=diversity,
                duplicate=self.duplicate,
            )
        coarse_scores = probability(coarse)
        hits = [
            RankedHit(
                id=candidates[at].id,
                score=float(scores[at]),
                scores=_scores(
                    candidates[at],
                    float(coarse_scores[at]),
                    float(fine[at]),
                    features[at] if explain else None,
                ),
            )
            for at in order[chosen]
        ]
        return Ranked(hits, watch.stages, degraded)

    async def _fine(
        self, query: str, best: Sequence[Candidate], deadline: Deadline
    ) -> npt.NDArray[np.float32]:
        """Log-odds, NaN where the ranker was not reached in time or failed."""
        in_time = Deadline(deadline.at - _SPARE_SECONDS)
        try:
            return await self.ranker.log_odds(query, best, in_time)
        except SearchError as error:
            logger.warning("fine phase failed", extra={"code": error.code})
            return np.full(len(best), np.nan, dtype=np.float32)

    def _features(self, query: str, candidates: Sequence[Candidate]) -> FloatArray:
        return coarse_features(Query.of(query, self.analyzer), candidates, self.analyzer)


def _scores(
    candidate: Candidate, coarse: float, fine: float, features: FloatArray | None
) -> dict[str, float]:
    """The score of each phase that saw the candidate; with features, every one of them."""
    scores = {"dense": candidate.dense, "lexical": candidate.lexical, "coarse": coarse}
    if not np.isnan(fine):
        scores["fine"] = float(probability(np.array(fine)))
    if features is not None:
        scores["recall"] = candidate.score
        names = zip(NAMES, features, strict=True)
        scores |= {f"feature_{name}": float(value) for name, value in names}
    return {name: value for name, value in scores.items() if value is not None}
