"""The port of an objective: it makes examples and computes the gradient of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
from paddle import nn

from training.data.stream import Batching

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class StepResult:
    loss: float
    tokens: int
    """Number of padded tokens that went through the network."""


class Objective(Protocol, Generic[E]):
    """An objective as the loop sees it; all its randomness comes from `rng` and Paddle's seed."""

    @property
    def network(self) -> nn.Layer: ...

    def batching(self) -> Batching[E]: ...

    def examples(self, rng: np.random.Generator) -> Sequence[E]:
        """The training examples of one epoch."""

    def validation(self) -> Sequence[E]:
        """Examples that are never trained on, the same at every call."""

    def backward(self, batch: list[E], rng: np.random.Generator) -> StepResult:
        """Adds the gradient of the batch's mean loss to the network's parameters."""

    def evaluate(self, batch: list[E], rng: np.random.Generator) -> StepResult:
        """The loss of a validation batch; lower is better."""

    def save(self, directory: Path) -> None:
        """Writes the trained network as a directory that later stages and export load."""
