"""SimCSE: two views of one text should be nearer than other texts (Gao et al., 2021)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import paddle

from training.backbone import Encoder
from training.config import SimcseRecipe
from training.data.stream import Batching
from training.forward import forward
from training.networks import save_network
from training.objectives import StepResult
from training.objectives.inbatch import contrastive_loss
from training.tokenization import TextCodec, save_tokenizer

CROP_SHARE = (0.3, 0.7)
"""Length of a span relative to its text (independent cropping: Izacard et al., 2022)."""
CROP_CHARS = 16
"""Texts shorter than two of these are not cropped."""


def crop(text: str, rng: np.random.Generator) -> str:
    """A random span of `text`."""
    if len(text) < 2 * CROP_CHARS:
        return text
    size = max(CROP_CHARS, int(len(text) * rng.uniform(*CROP_SHARE)))
    start = int(rng.integers(len(text) - size + 1))
    return text[start : start + size]


class SimcseObjective:
    def __init__(
        self,
        recipe: SimcseRecipe,
        encoder: Encoder,
        codec: TextCodec,
        texts: Sequence[str],
        held_back: Sequence[str],
    ) -> None:
        self.network = encoder
        self._recipe, self._codec = recipe, codec
        self._texts, self._held_back = texts, held_back

    def batching(self) -> Batching[str]:
        recipe = self._recipe
        return Batching(
            size=recipe.batch_size,
            tokens=recipe.batch_tokens,
            length=lambda text: min(recipe.max_tokens, 8 + int(len(text) * 0.7)),
            group=lambda text: 0,
        )

    def examples(self, rng: np.random.Generator) -> Sequence[str]:
        del rng  # views are drawn per step
        return self._texts

    def validation(self) -> Sequence[str]:
        return self._held_back

    def backward(self, batch: list[str], rng: np.random.Generator) -> StepResult:
        result, loss = self._views(batch, rng)
        loss.backward()
        return result

    def evaluate(self, batch: list[str], rng: np.random.Generator) -> StepResult:
        # Without dropout the two views would be one and the loss would say nothing.
        self.network.train()
        result, _ = self._views(batch, rng)
        return result

    def save(self, directory: Path) -> None:
        save_network(self.network, directory)
        save_tokenizer(self._codec.tokenizer, self._recipe.model.source, directory)

    def _views(
        self, batch: list[str], rng: np.random.Generator
    ) -> tuple[StepResult, paddle.Tensor]:
        texts = [crop(text, rng) if self._crops else text for _ in range(2) for text in batch]
        items = self._codec.texts(texts, self._recipe.max_tokens)
        vectors, tokens = forward(self.network, self._codec, items)
        first, second = vectors[: len(batch)], vectors[len(batch) :]
        loss = contrastive_loss(first, second, batch, margin=0.0, scale=self._recipe.scale)
        return StepResult(float(loss), tokens), loss

    @property
    def _crops(self) -> bool:
        return self._recipe.views == "crop"
