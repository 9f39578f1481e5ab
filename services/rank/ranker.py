"""The engine's ranker as the cascade's port."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.common.engine import BatchedRanker
from services.common.model_dir import Calibration
from services.common.request_context import Deadline
from services.common.wire.recall import Candidate


@dataclass(frozen=True, slots=True)
class EngineRanker:
    """A FineRanker whose calls share forward passes."""

    batched: BatchedRanker

    async def log_odds(
        self, query: str, candidates: Sequence[Candidate], deadline: Deadline
    ) -> npt.NDArray[np.float32]:
        manifest = self.batched.ranker.manifest
        texts = [manifest.document_text(each.title, each.text) for each in candidates]
        return self.calibrated(await self.batched.score_in_time(query, texts, deadline))

    def calibrated(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Log-odds of relevance from the model's raw logits."""
        calibration = self.batched.ranker.manifest.calibration or Calibration(slope=1, intercept=0)
        return np.float32(calibration.slope) * logits + np.float32(calibration.intercept)
