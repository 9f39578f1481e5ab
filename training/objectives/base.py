"""The common part of all objectives: a network, a tokenizer, examples, and the way they are
saved."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeVar

import numpy as np
from paddle import Tensor

from training.data.stream import Batching
from training.failures import DataInvalid
from training.networks.body import check_positions
from training.networks.directory import Network, load_codec, save_with_tokenizer
from training.networks.tokenization import TextCodec
from training.run.objective import StepResult
from training.run.recipe import Recipe

log = logging.getLogger(__name__)

E = TypeVar("E")
R = TypeVar("R", bound=Recipe)


class NetworkObjective(ABC, Generic[E, R]):
    """An objective over a fixed set of examples; a subclass defines the loss of a batch."""

    recipe_type: ClassVar[type[Recipe]]

    def __init__(
        self,
        recipe: R,
        network: Network,
        codec: TextCodec,
        trained: Sequence[E],
        validated: Sequence[E],
    ) -> None:
        """`trained` are the examples of each epoch, `validated` those that are never trained on."""
        self.network = network
        self._start = _copy(network) if recipe.average_with_start else {}
        self.recipe, self.codec = recipe, codec
        self.trained, self.validated = trained, validated

    @classmethod
    @abstractmethod
    def build(cls, recipe: R) -> Self:
        """Reads the data, loads the network, and makes the objective. Raises TrainingError."""

    @abstractmethod
    def loss(self, batch: list[E], rng: np.random.Generator) -> tuple[Tensor, int]:
        """The mean loss of a batch and the number of padded tokens that were read for it."""

    @abstractmethod
    def length(self, example: E) -> int:
        """About how many tokens the longest sequence of an example has."""

    def group(self, example: E) -> Hashable:
        """The group of an example; only examples of one group share a batch."""
        del example
        return 0

    def batching(self) -> Batching[E]:
        return Batching(
            size=self.recipe.batch_size,
            tokens=self.recipe.batch_tokens,
            length=self.length,
            group=self.group,
        )

    def examples(self, rng: np.random.Generator) -> Sequence[E]:
        del rng  # These examples are the same in every epoch.
        return self.trained

    def validation(self) -> Sequence[E]:
        return self.validated

    def backward(self, batch: list[E], rng: np.random.Generator) -> StepResult:
        loss, tokens = self.loss(batch, rng)
        loss.backward()
        return StepResult(float(loss), tokens)

    def evaluate(self, batch: list[E], rng: np.random.Generator) -> StepResult:
        loss, tokens = self.loss(batch, rng)
        return StepResult(float(loss), tokens)

    def save(self, directory: Path) -> None:
        kept = self.recipe.average_with_start
        if not kept:
            self._save(directory)
            return
        trained = _copy(self.network)
        self.network.set_state_dict(
            {name: kept * self._start[name] + (1 - kept) * value for name, value in trained.items()}
        )
        self._save(directory)
        self.network.set_state_dict(trained)

    def _save(self, directory: Path) -> None:
        save_with_tokenizer(self.network, self.codec, self.recipe.model.source, directory)


def _copy(network: Network) -> dict[str, Tensor]:
    """A copy of the weights by their names."""
    return {name: value.clone() for name, value in network.state_dict().items()}


def prepared(network: Network, recipe: Recipe) -> TextCodec:
    """Gives a loaded network the recipe's prefixes and frozen weights; returns its tokenizer.

    Raises PositionsExceeded if the recipe's texts may be longer than the network reads.
    """
    limits = {"max_tokens", "query_max_tokens"}
    check_positions(network.body, recipe.model_dump(include=limits))
    network.prefixes = network.prefixes.replaced(recipe.query_prefix, recipe.document_prefix)
    body, model = network.body, recipe.model
    frozen = [body.embeddings] if model.freeze_embeddings else []
    for layer in [*frozen, *[*body.encoder.layers][: model.freeze_layers]]:
        for parameter in layer.parameters():
            parameter.stop_gradient = True
    return load_codec(recipe.model.source, network)


def estimated_tokens(characters: int, most: int) -> int:
    """About how many tokens a text has: a Chinese character is 0.6 to 0.7 of one.

    The exact number would cost a pass of the tokenizer over the whole corpus.
    """
    return min(most, 8 + int(characters * 0.7))


def require_examples(trained: Sequence[object]) -> None:
    """Raises DataInvalid if no example is left, since a walk over no batches would never end."""
    if not trained:
        raise DataInvalid("nothing is left to train on: see `exclude` and `validation`")
