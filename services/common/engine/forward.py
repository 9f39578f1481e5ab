"""Computes the outputs of sequences of any length, in padded batches and passes."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from services.common.engine.batches import plan_batches
from services.common.engine.predictor import FloatArray, Predictor
from services.common.engine.tokens import Tokens, pad
from services.common.model_dir import INPUTS, InputName


@dataclass(frozen=True, slots=True)
class Forward:
    """A predictor with what turns token sequences into its inputs."""

    predictor: Predictor
    pad_id: int
    inputs: tuple[InputName, ...] = INPUTS

    def batch(self, sequences: Sequence[Tokens]) -> FloatArray:
        """Outputs float32 [n, ...] of all sequences, in one pass. Raises ModelUnavailable."""
        columns = self.predictor.passes.columns(max(len(tokens) for tokens in sequences))
        return self.predictor.run(*pad(sequences, self.pad_id, columns, self.inputs))

    def many(self, sequences: Sequence[Tokens]) -> FloatArray:
        """Outputs float32 [n, ...] of one or more sequences in their order, in planned batches.

        Raises ModelUnavailable.
        """
        at_once = self.predictor.passes.at_once
        plan = plan_batches([len(tokens) for tokens in sequences], self.predictor.passes)
        batches = [[sequences[position] for position in batch] for batch in plan]
        if at_once == 1 or len(batches) == 1:
            outputs = [*map(self.batch, batches)]
        else:
            with ThreadPoolExecutor(at_once) as threads:
                outputs = [*threads.map(self.batch, batches)]
        return in_order(plan, outputs)


def in_order(plan: Sequence[Sequence[int]], outputs: Sequence[FloatArray]) -> FloatArray:
    """Outputs of the batches of a plan, put back at the positions of their sequences."""
    rows = sum(map(len, plan))
    result = np.empty((rows, *outputs[0].shape[1:]), dtype=np.float32)
    for batch, output in zip(plan, outputs, strict=True):
        result[batch] = output
    return result
