"""Domain-adaptive pretraining: predict hidden words of domain text (Gururangan et al., 2020)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import Tensor
from pydantic import Field

from services.common.engine.batches import plan_batches
from training.data.masking import IGNORED, mask_words, packed, padded
from training.data.stream import Batching
from training.data.texts import split_texts
from training.failures import ModelUnknown
from training.networks.directory import load_masked
from training.networks.forward import PASSES
from training.networks.masked import MaskedLanguageModel
from training.networks.tokenization import TextCodec
from training.objectives.base import (
    NetworkObjective,
    estimated_tokens,
    prepared,
    require_examples,
)
from training.run.recipe import Recipe


class PretrainRecipe(Recipe):
    texts: tuple[Path, ...] = Field(min_length=1)
    """Files of texts: plain lines, or jsonl with `text`, `abstract` or `title`."""
    exclude: tuple[Path, ...] = ()
    """jsonl of evaluation papers, whose titles and abstracts are left out."""
    mask_rate: float = Field(default=0.15, gt=0, lt=1)
    """Share of a text's tokens that is hidden, whole words at a time."""
    pack: bool = False
    """Whether short texts share a sequence of up to `max_tokens`; each token then attends to all of
    them."""
    stream: bool = False
    """Whether the texts stay in their files and are read when needed, which takes 8 bytes of memory
    for each."""


class PretrainObjective(NetworkObjective[str, PretrainRecipe]):
    recipe_type = PretrainRecipe
    network: MaskedLanguageModel

    def __init__(
        self,
        recipe: PretrainRecipe,
        network: MaskedLanguageModel,
        codec: TextCodec,
        trained: Sequence[str],
        validated: Sequence[str],
    ) -> None:
        if codec.mask_id is None:
            raise ModelUnknown(
                f"the tokenizer of {recipe.model.source} has no mask token ([MASK] or <mask>), "
                "which pretraining needs"
            )
        super().__init__(recipe, network, codec, trained, validated)
        self._mask_id = codec.mask_id

    @classmethod
    def build(cls, recipe: PretrainRecipe) -> Self:
        trained, validated = split_texts(
            recipe.texts, recipe.exclude, recipe.validation, stream=recipe.stream
        )
        require_examples(trained)
        paddle.seed(recipe.seed)
        model = recipe.model
        network = load_masked(model.source, dropout=model.dropout, layers=model.layers)
        return cls(recipe, network, prepared(network, recipe), trained, validated)

    def batching(self) -> Batching[str]:
        return replace(super().batching(), streamed=self.recipe.stream)

    def length(self, example: str) -> int:
        return estimated_tokens(len(example), self.recipe.max_tokens)

    def loss(self, batch: list[str], rng: np.random.Generator) -> tuple[Tensor, int]:
        """Cross-entropy over the hidden tokens, which are drawn anew in each step."""
        recipe, tokenizer = self.recipe, self.codec.tokenizer
        rows = [
            mask_words(
                self.codec.normal(text),
                tokenizer,
                self._mask_id,
                recipe.mask_rate,
                recipe.max_tokens,
                rng,
            )
            for text in batch
        ]
        if recipe.pack:
            rows = packed(rows, recipe.max_tokens)
        hidden, answers, tokens = [], [], 0
        for positions in plan_batches([len(row.input_ids) for row in rows], PASSES):
            input_ids, labels = padded([rows[at] for at in positions], self.codec.pad_id)
            states = self.network.states(paddle.to_tensor(input_ids))
            # The vocabulary's logits are computed for hidden tokens only: a tenth of the work.
            chosen = np.flatnonzero(labels.reshape(-1) != IGNORED)
            states = states.reshape([-1, states.shape[-1]])
            hidden.append(paddle.gather(states, paddle.to_tensor(chosen)))
            answers.append(labels.reshape(-1)[chosen])
            tokens += input_ids.size
        if not any(map(len, answers)):
            # A text of signs that the tokenizer drops, such as U+FFFD, has nothing to predict.
            return self.network.logits(states[:1]).sum() * 0.0, tokens
        logits = self.network.logits(paddle.concat(hidden))
        return F.cross_entropy(logits, paddle.to_tensor(np.concatenate(answers))), tokens
