"""The ranker: a title should score above its negatives, or as its grade says."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import Tensor

from training.config import RankRecipe
from training.data.stream import Batching
from training.forward import forward
from training.networks import save_network
from training.objectives import StepResult
from training.ranker import Ranker
from training.tokenization import TextCodec, save_tokenizer


class Form(StrEnum):
    PAIRWISE = "pairwise"
    LISTWISE = "listwise"
    GRADED = "graded"


@dataclass(frozen=True, slots=True)
class Judged:
    """A query and titles: the first above the others, or a single one with a grade in [0, 1]."""

    query: str
    titles: tuple[str, ...]
    form: Form
    grade: float = 1.0

    @property
    def characters(self) -> int:
        return len(self.query) + max(map(len, self.titles))


def pairwise_loss(logits: Tensor, margin: float) -> Tensor:
    """Mean over negatives of max(0, margin - (p(title) - p(negative))), p the logit's sigmoid.

    logits float32 [n, titles], the right title first.
    """
    scores = F.sigmoid(logits)
    return F.relu(margin - (scores[:, :1] - scores[:, 1:])).mean()


def listwise_loss(logits: Tensor) -> Tensor:
    """Cross-entropy of choosing the first of float32 [n, titles]."""
    return F.cross_entropy(logits, paddle.zeros([logits.shape[0]], dtype="int64"))


def graded_loss(logits: Tensor, grades: Tensor) -> Tensor:
    """Binary cross-entropy against float32 [n] grades in [0, 1]."""
    return F.binary_cross_entropy_with_logits(logits, grades)


class RankObjective:
    def __init__(
        self,
        recipe: RankRecipe,
        ranker: Ranker,
        codec: TextCodec,
        examples: Sequence[Judged],
        held_back: Sequence[Judged],
    ) -> None:
        self.network = ranker
        self._recipe, self._codec = recipe, codec
        self._examples, self._held_back = examples, held_back

    def batching(self) -> Batching[Judged]:
        recipe = self._recipe
        return Batching(
            size=recipe.batch_size,
            tokens=recipe.batch_tokens,
            length=lambda judged: (
                min(recipe.max_tokens, 8 + int(judged.characters * 0.7)) * len(judged.titles)
            ),
            group=lambda judged: (judged.form, len(judged.titles)),
        )

    def examples(self, rng: np.random.Generator) -> Sequence[Judged]:
        del rng  # nothing is drawn anew
        return self._examples

    def validation(self) -> Sequence[Judged]:
        return self._held_back

    def backward(self, batch: list[Judged], rng: np.random.Generator) -> StepResult:
        del rng
        loss, tokens = self._loss(batch)
        loss.backward()
        return StepResult(float(loss), tokens)

    def evaluate(self, batch: list[Judged], rng: np.random.Generator) -> StepResult:
        del rng
        loss, tokens = self._loss(batch)
        return StepResult(float(loss), tokens)

    def save(self, directory: Path) -> None:
        save_network(self.network, directory)
        save_tokenizer(self._codec.tokenizer, self._recipe.model.source, directory)

    def _loss(self, batch: list[Judged]) -> tuple[Tensor, int]:
        pairs = [(judged.query, title) for judged in batch for title in judged.titles]
        items = self._codec.pairs(pairs, self._recipe.max_tokens)
        logits, tokens = forward(self.network, self._codec, items)
        if batch[0].form is Form.GRADED:
            grades = np.array([judged.grade for judged in batch], dtype=np.float32)
            loss = graded_loss(logits, paddle.to_tensor(grades))
        else:
            table = logits.reshape([len(batch), -1])
            loss = (
                pairwise_loss(table, self._recipe.margin)
                if batch[0].form is Form.PAIRWISE
                else listwise_loss(table)
            )
        return loss, tokens
