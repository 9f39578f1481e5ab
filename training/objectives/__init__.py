"""What a stage minimises: each objective makes examples and takes the gradient of a batch."""

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
    """Padded tokens that went through the network."""


class Objective(Protocol, Generic[E]):
    """One stage. All randomness comes from the generators handed in and Paddle's seed."""

    @property
    def network(self) -> nn.Layer: ...

    def batching(self) -> Batching[E]: ...

    def examples(self, rng: np.random.Generator) -> Sequence[E]:
        """An epoch's training examples."""

    def validation(self) -> Sequence[E]:
        """Examples that are never trained on, the same at every call."""

    def backward(self, batch: list[E], rng: np.random.Generator) -> StepResult:
        """Add the gradient of the batch's mean loss to the network's parameters."""

    def evaluate(self, batch: list[E], rng: np.random.Generator) -> StepResult:
        """The loss of a validation batch; lower is better."""

    def save(self, directory: Path) -> None:
        """The trained network as a directory that later stages and export load."""
