"""Domain-adaptive pretraining: predict hidden words of domain text (Gururangan et al., 2020)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import Tensor
from paddlenlp.transformers import ErnieForMaskedLM

from services.common.engine.batches import plan_batches
from training.backbone import Encoder
from training.config import PretrainRecipe
from training.data.stream import Batching
from training.forward import PASSES
from training.masking import IGNORED, mask_words, padded
from training.networks import save_network
from training.objectives import StepResult
from training.tokenization import TextCodec, save_tokenizer


class PretrainObjective:
    def __init__(
        self,
        recipe: PretrainRecipe,
        network: ErnieForMaskedLM,
        codec: TextCodec,
        texts: Sequence[str],
        held_back: Sequence[str],
    ) -> None:
        if codec.mask_id is None:
            raise ValueError("the tokenizer has no mask token, which pretraining needs")
        self.network = network
        self._recipe, self._codec, self._mask_id = recipe, codec, codec.mask_id
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
        del rng  # masks are drawn per step
        return self._texts

    def validation(self) -> Sequence[str]:
        return self._held_back

    def backward(self, batch: list[str], rng: np.random.Generator) -> StepResult:
        loss, tokens = self._loss(batch, rng)
        loss.backward()
        return StepResult(float(loss), tokens)

    def evaluate(self, batch: list[str], rng: np.random.Generator) -> StepResult:
        loss, tokens = self._loss(batch, rng)
        return StepResult(float(loss), tokens)

    def save(self, directory: Path) -> None:
        save_network(Encoder(self.network.ernie, pooling=self._recipe.model.pooling), directory)
        save_tokenizer(self._codec.tokenizer, self._recipe.model.source, directory)

    def _loss(self, batch: list[str], rng: np.random.Generator) -> tuple[Tensor, int]:
        recipe = self._recipe
        rows = [
            mask_words(
                text, self._codec.tokenizer, self._mask_id, recipe.mask_rate, recipe.max_tokens, rng
            )
            for text in batch
        ]
        hidden, wanted, tokens = [], [], 0
        for positions in plan_batches([len(row.input_ids) for row in rows], PASSES):
            input_ids, labels = padded([rows[each] for each in positions], self._codec.pad_id)
            states, _ = self.network.ernie(paddle.to_tensor(input_ids))
            # Only hidden tokens meet the vocabulary: a tenth of the work.
            at = np.flatnonzero(labels.reshape(-1) != IGNORED)
            states = states.reshape([-1, states.shape[-1]])
            hidden.append(paddle.gather(states, paddle.to_tensor(at)))
            wanted.append(labels.reshape(-1)[at])
            tokens += input_ids.size
        logits = self.network.cls.predictions(paddle.concat(hidden))
        return F.cross_entropy(logits, paddle.to_tensor(np.concatenate(wanted))), tokens
