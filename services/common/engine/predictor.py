"""The port behind which an engine runs a model's program, and how it may use the machine."""

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
    """Arithmetic of the model; `auto` takes the fastest that it allows."""
    few_texts: bool = False
    """Whether most passes hold few texts, as those of queries and of the fine phase do. `auto` then
    takes int8 without a trial: on a Xeon with AMX a query of 16 tokens costs two thirds of what it
    does in bfloat16, the fine phase of a search 126 instead of 208 ms of the processor, and each
    process holds 600 MB less (docs/measurements/2026-11-29-precision.md)."""

    def thread_count(self) -> int:
        """Cores that forward passes use."""
        return self.threads or len(os.sched_getaffinity(0))
