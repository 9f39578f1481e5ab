"""SimCSE: two views of one text should be nearer than other texts (Gao et al., 2021)."""

from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
import paddle
from paddle import Tensor
from pydantic import Field

from training.data.stream import Batching
from training.data.texts import split_texts
from training.networks.directory import load_encoder
from training.networks.encoder import Encoder
from training.networks.forward import forward
from training.objectives.base import (
    NetworkObjective,
    estimated_tokens,
    prepared,
    require_examples,
)
from training.objectives.contrastive import contrastive_loss
from training.run.objective import StepResult
from training.run.recipe import Recipe

CROP_SHARE = (0.3, 0.7)
"""Least and largest length of a span relative to its text (independent cropping: Izacard et al.,
2022)."""
CROP_CHARS = 16
"""Least characters of a span; texts shorter than two of these are not cropped."""


class SimcseRecipe(Recipe):
    texts: tuple[Path, ...] = Field(min_length=1)
    """Files of texts: plain lines, or jsonl with `text`, `abstract` or `title`."""
    exclude: tuple[Path, ...] = ()
    """jsonl of evaluation papers, whose titles and abstracts are left out."""
    scale: float = Field(default=20.0, gt=0)
    """Factor of the cosines before the softmax (the inverse of its temperature)."""
    views: Literal["dropout", "crop"] = "dropout"
    """Ways to make two views: two dropout passes over one text, or two independent spans of it."""
    stream: bool = False
    """Whether the texts stay in their files and are read when needed, as in pretraining."""


class SimcseObjective(NetworkObjective[str, SimcseRecipe]):
    recipe_type = SimcseRecipe
    network: Encoder

    @classmethod
    def build(cls, recipe: SimcseRecipe) -> Self:
        trained, validated = split_texts(
            recipe.texts, recipe.exclude, recipe.validation, stream=recipe.stream
        )
        require_examples(trained)
        paddle.seed(recipe.seed)
        model = recipe.model
        encoder = load_encoder(
            model.source, dropout=model.dropout, layers=model.layers, pooling=model.pooling
        )
        return cls(recipe, encoder, prepared(encoder, recipe), trained, validated)

    def batching(self) -> Batching[str]:
        return replace(super().batching(), streamed=self.recipe.stream)

    def length(self, example: str) -> int:
        return estimated_tokens(len(example), self.recipe.max_tokens)

    def evaluate(self, batch: list[str], rng: np.random.Generator) -> StepResult:
        # Without dropout both views would be the same vector and the loss would say nothing.
        self.network.train()
        return super().evaluate(batch, rng)

    def loss(self, batch: list[str], rng: np.random.Generator) -> tuple[Tensor, int]:
        crops = self.recipe.views == "crop"
        texts = [crop(text, rng) if crops else text for _ in range(2) for text in batch]
        items = self.codec.documents(texts, self.recipe.max_tokens)
        vectors, tokens = forward(self.network, self.codec, items)
        first, second = vectors[: len(batch)], vectors[len(batch) :]
        loss = contrastive_loss(first, second, batch, batch, margin=0.0, scale=self.recipe.scale)
        return loss, tokens


def crop(text: str, rng: np.random.Generator) -> str:
    """A random span of `text`, or all of it if it is short."""
    if len(text) < 2 * CROP_CHARS:
        return text
    size = max(CROP_CHARS, int(len(text) * rng.uniform(*CROP_SHARE)))
    start = int(rng.integers(len(text) - size + 1))
    return text[start : start + size]
