"""What runs a model's program, whichever engine it is, and how it may use the machine."""

import os
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.common.engine.batches import Passes
from services.common.engine.tokens import IntArray
from services.common.model_dir import WantedPrecision

FloatArray = npt.NDArray[np.float32]


class Predictor(Protocol):
    """Runs passes, in as many threads at the same time as `passes` says."""

    passes: Passes

    def run(self, ids: IntArray, types: IntArray) -> FloatArray:
        """int64 [rows, columns] twice -> float32 [rows, ...]. Raises ModelUnavailable."""


@dataclass(frozen=True, slots=True)
class PredictorOptions:
    """How a model uses the machine."""

    threads: int = 0
    """Cores that forward passes may use; 0 takes every one that this process has."""
    precision: WantedPrecision = "auto"

    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))
