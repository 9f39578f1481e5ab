"""The port behind which an engine runs a model's program, and how it may use the machine."""

import os
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.common.engine.batches import Passes
from services.common.engine.tokens import IntArray
from services.common.precision import WantedPrecision

FloatArray = npt.NDArray[np.float32]


class Predictor(Protocol):
    """Runs passes. It may be called from `passes.at_once` threads at the same time."""

    passes: Passes
    """The properties of this engine's passes."""

    def run(self, *inputs: IntArray) -> FloatArray:
        """The program's inputs, each int64 [rows, columns], to float32 [rows, ...].

        Raises ModelUnavailable.
        """


@dataclass(frozen=True, slots=True)
class PredictorOptions:
    """Limits on the processor and the precision that a model uses."""

    threads: int = 0
    """Cores that forward passes may use; 0 takes every core that this process has."""
    precision: WantedPrecision = "auto"
    """Arithmetic of the model. On a Xeon with AMX `small`, which is int8, takes two thirds of the
    time of bfloat16 for a query of 16 tokens, 126 instead of 208 ms of the processor for the fine
    phase of a search, and 600 MB less in each process; a thousand abstracts take a quarter more
    (docs/measurements/2026-11-29-precision.md)."""

    def thread_count(self) -> int:
        """Cores that forward passes use."""
        return self.threads or len(os.sched_getaffinity(0))
