"""The phases of ranking: coarse over all, fine over the best, and the last selection."""

import asyncio
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from services.common.errors import SearchError
from services.common.odds import probability
from services.common.request_context import Deadline
from services.common.stopwatch import Stopwatch
from services.common.text import WordAnalyzer
from services.common.wire.rank import SCALED_BY, RankCandidate, RankedHit, considered
from services.common.wire.stages import Stage
from services.rank.blend import Blend
from services.rank.duplicates import Outlines, select
from services.rank.features import (
    NAMES,
    AnalysedQuery,
    BoolArray,
    FloatArray,
    coarse_features,
)
from services.rank.stopping import PASS_CANDIDATES, StopRule

logger = logging.getLogger(__name__)

_SPARE_SECONDS = 0.005
"""Seconds of the budget that are kept for the last selection and the answer."""
_SELECTED_FROM = 5
"""The last selection considers this multiple of top_k candidates in the final order."""


class FineRanker(Protocol):
    """A model that reads a query and a candidate together."""

    async def log_odds(
        self, query: str, candidates: Sequence[RankCandidate], deadline: Deadline
    ) -> npt.NDArray[np.float32]:
        """Calibrated log-odds [n] of candidates given best first; NaN where time ran out.

        Raises Overloaded, ModelUnavailable.
        """


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best candidates with the stages of their ranking."""

    hits: list[RankedHit]
    stages: list[Stage]
    degraded: list[str]


@dataclass(frozen=True, slots=True)
class _Reading:
    """The outcome of the fine phase."""

    log_odds: FloatArray
    """Log-odds of each candidate that the fine phase may read; NaN for those that it did not
    read."""
    stopped: Literal["settled", "depth", "budget"] | None
    """The reason why reading stopped; None if the ranker failed."""
    complete: bool
    """Whether neither the budget nor an error of the ranker ended the reading."""


@dataclass(frozen=True, slots=True)
class RankingPhases:
    """Orders candidates. All requests share one."""

    ranker: FineRanker
    analyzer: WordAnalyzer
    blend: Blend
    duplicate: float
    """Similarity from which a document counts as a copy of a better one."""
    depth: int
    """Most candidates that the fine phase reads."""
    stop: StopRule | None = None
    """The rule by which reading stops earlier; without one it reads to its depth."""
    pass_candidates: int = PASS_CANDIDATES
    """Candidates that are read between two looks at `stop`."""

    async def rank(
        self,
        query: str,
        candidates: Sequence[RankCandidate],
        *,
        top_k: int,
        diversity: float,
        explain: bool,
        deadline: Deadline,
    ) -> Ranked:
        """The best top_k candidates.

        Lack of time and a failing model raise nothing; `degraded` then names `rank`.
        """
        boosts = np.array([each.boost for each in candidates])
        if boosts.any():
            usual = _usual(candidates)
        else:
            candidates, boosts = candidates[: considered(top_k)], boosts[: considered(top_k)]
            usual = np.arange(len(candidates)) < SCALED_BY
        watch = Stopwatch()
        degraded: list[str] = []
        with watch.stage("coarse") as lap:
            lap.candidates = len(candidates)
            analysed, features = await asyncio.to_thread(self._features, query, candidates, usual)
            coarse = self.blend.coarse_odds(features)
            order = np.argsort(-coarse - boosts, kind="stable")
        fine = np.full(len(candidates), np.nan)
        if self.blend.reads(analysed.detail):
            with watch.stage("fine") as lap:
                best = order[: self.depth]
                reading = await self._read(
                    query,
                    [candidates[at] for at in best],
                    coarse[best],
                    boosts[best],
                    top_k=top_k,
                    deeper=len(order) > len(best),
                    deadline=deadline,
                )
                fine[best] = reading.log_odds
                lap.candidates = int(np.count_nonzero(~np.isnan(reading.log_odds)))
                lap.stopped = reading.stopped
                if not reading.complete:
                    degraded.append("rank")
        with watch.stage("rerank") as lap:
            odds = self.blend.final_odds(coarse, fine) + boosts
            order = np.argsort(-odds, kind="stable")[: top_k * _SELECTED_FROM]
            lap.candidates = len(order)
            scores = probability(odds)
            chosen = await asyncio.to_thread(
                select,
                [float(scores[at]) for at in order],
                Outlines([candidates[at] for at in order], self.analyzer),
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

    async def _read(
        self,
        query: str,
        best: Sequence[RankCandidate],
        coarse: FloatArray,
        boosts: FloatArray,
        *,
        top_k: int,
        deeper: bool,
        deadline: Deadline,
    ) -> _Reading:
        """Reads candidates, best first, in small passes until the answer is settled.

        `coarse` holds their coarse log-odds and `boosts` what boosts add; `deeper` says whether
        there are more candidates than these.
        """
        in_time = Deadline(deadline.at - _SPARE_SECONDS)
        odds = np.full(len(best), np.nan)
        if self.stop is not None and len(best) and self.stop.undisputed(self.blend, coarse, boosts):
            return _Reading(odds, "settled", complete=True)
        # Without a rule there is nothing to look at between passes.
        step = self.pass_candidates if self.stop is not None else max(1, len(best))
        for start in range(0, len(best), step):
            end = min(start + step, len(best))
            try:
                odds[start:end] = await self.ranker.log_odds(query, best[start:end], in_time)
            except SearchError as error:
                logger.warning("the fine phase failed", extra={"code": error.code})
                return _Reading(odds, None, complete=False)
            if np.isnan(odds[start:end]).any():
                return _Reading(odds, "budget", complete=False)
            if self.stop is not None and end < len(best):
                final = self.blend.final_odds(coarse[:end], odds[:end]) + boosts[:end]
                if self.stop.settled(self.blend, final, coarse[end:], top_k, boosts[end:]):
                    return _Reading(odds, "settled", complete=True)
        return _Reading(odds, "depth" if deeper else "settled", complete=True)

    def _features(
        self, query: str, candidates: Sequence[RankCandidate], usual: BoolArray
    ) -> tuple[AnalysedQuery, FloatArray]:
        analysed = AnalysedQuery.of(query, self.analyzer)
        return analysed, coarse_features(analysed, candidates, self.analyzer, usual)


def _usual(candidates: Sequence[RankCandidate]) -> BoolArray:
    """Marks the candidates that are the best without boosts, to which scores are relative."""
    order = sorted(range(len(candidates)), key=lambda at: -candidates[at].score)[:SCALED_BY]
    usual = np.zeros(len(candidates), dtype=np.bool_)
    usual[order] = True
    return usual


def _scores(
    candidate: RankCandidate, coarse: float, fine: float, features: FloatArray | None
) -> dict[str, float]:
    """The score of each phase that saw the candidate, and its features where they are given."""
    scores = {"dense": candidate.dense, "lexical": candidate.lexical, "coarse": coarse}
    if not np.isnan(fine):
        scores["fine"] = float(probability(np.array(fine)))
    if candidate.boost:
        scores["boost"] = round(math.exp(candidate.boost), 6)
    if features is not None:
        scores["recall"] = candidate.score
        names = zip(NAMES, features, strict=True)
        scores |= {f"feature_{name}": float(value) for name, value in names}
    return {name: value for name, value in scores.items() if value is not None}
