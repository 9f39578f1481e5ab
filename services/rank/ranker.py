"""The engine's ranker behind the port of the ranking phases."""

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

        Raises Overloaded, ModelUnavailable.
        """
        manifest = self.batched.ranker.manifest
        texts = manifest.texts_beside(query, candidates)
        return manifest.log_odds(await self.batched.score_in_time(query, texts, deadline))
