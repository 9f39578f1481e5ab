"""The engine's ranker behind the port of the ranking phases."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.common.engine import BatchedRanker
from services.common.request_context import Deadline
from services.common.wire.rank import RankCandidate


@dataclass(frozen=True, slots=True)
class EngineRanker:
    """A FineRanker whose calls share forward passes."""

    batched: BatchedRanker

    async def log_odds(
        self, query: str, candidates: Sequence[RankCandidate], deadline: Deadline
    ) -> npt.NDArray[np.float32]:
        """Calibrated log-odds [n] of candidates, given best first; NaN where time ran out.

        A candidate with a wording of its own is read with that. Raises Overloaded,
        ModelUnavailable.
        """
        manifest = self.batched.ranker.manifest
        odds = np.empty(len(candidates), np.float32)
        places: dict[str, list[int]] = {}
        for place, one in enumerate(candidates):
            places.setdefault(query if one.wording is None else one.wording, []).append(place)

        async def read(wording: str, some: list[int]) -> None:
            texts = manifest.texts_beside(wording, [candidates[place] for place in some])
            logits = await self.batched.score_in_time(wording, texts, deadline)
            odds[some] = manifest.log_odds(logits)

        await asyncio.gather(*(read(wording, some) for wording, some in places.items()))
        return odds
