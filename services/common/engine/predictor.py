"""What runs a model's program, whichever engine it is, and how it may use the machine."""

import os
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.common.engine.tokens import IntArray
from services.common.model_dir import WantedPrecision

FloatArray = npt.NDArray[np.float32]


class Predictor(Protocol):
    """One instance per thread: not thread-safe."""

    any_shape: bool
    """Whether a new shape costs nothing; else lengths are rounded up to few."""

    def run(self, ids: IntArray, types: IntArray) -> FloatArray:
        """int64 [rows, columns] twice -> float32 [rows, ...]. Raises ModelUnavailable."""

    def clone(self) -> "Predictor":
        """Another predictor for another thread, on the same weights."""


@dataclass(frozen=True, slots=True)
class PredictorOptions:
    """How a model uses the machine."""

    threads: int = 0
    """Threads of one forward pass; 0 takes every core this process may use."""
    precision: WantedPrecision = "auto"

    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))
