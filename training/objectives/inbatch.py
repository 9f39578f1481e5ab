"""In-batch negatives: a query should find its own document among all documents of the batch."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self, cast

import numpy as np
import paddle
from paddle import Tensor
from pydantic import Field, model_validator

from training.data.likeness import PairVectors, likeness_by_words
from training.data.lines import Parts
from training.data.pairs import Pair
from training.data.sources import PairFiles, PairSource, StreamedPairs, read_pair_source
from training.data.stream import Batching
from training.failures import RecipeInvalid
from training.networks.directory import load_encoder
from training.networks.encoder import Encoder
from training.networks.forward import forward
from training.networks.source import read_source
from training.networks.tokenization import Sequenced, TextCodec
from training.objectives.base import (
    NetworkObjective,
    estimated_tokens,
    prepared,
    require_examples,
)
from training.objectives.contrastive import contrastive_loss
from training.objectives.starting_vectors import likeness_by_network, project_to_principal_axes
from training.run.objective import StepResult
from training.run.recipe import PerEpoch, Recipe

log = logging.getLogger(__name__)


class InbatchRecipe(Recipe):
    pairs: tuple[Path, ...] = ()
    """`query<TAB>title[<TAB>negative...]` files; each is a group of its own."""
    general_pairs: tuple[Path, ...] = ()
    """Files in the format of `pairs`, of which only pairs on the training side of the evaluation
    split are used."""
    natural: tuple[Path, ...] = ()
    """`kind<TAB>query<TAB>id` files: queries written for a document of `abstracts` or `titles`."""
    abstracts: tuple[Path, ...] = ()
    """jsonl with `id` and `abstract` or `text`: pairs are made of its sentences and key terms each
    epoch."""
    titles: tuple[Path, ...] = ()
    """jsonl with `id` and `title`: pairs of key terms and title are made each epoch."""
    exclude: tuple[Path, ...] = ()
    """jsonl of evaluation papers; pairs with one of their titles or abstracts are left out."""
    per_epoch: PerEpoch = Field(default_factory=dict)
    """Most pairs of a group in an epoch, by the group's name; the log lists the groups."""
    dimension: int | None = Field(default=256, ge=8)
    """Size of the vectors, by a projection that starts as the principal axes. With null
    there is no projection, and a vector is as large as the body's states."""
    margin: float = Field(default=0.2, ge=0)
    """What is subtracted from the cosine of the right document before the softmax."""
    scale: float = Field(default=30.0, gt=0)
    """Factor of the cosines before the softmax (the inverse of its temperature)."""
    symmetric: bool = False
    """Whether the loss also chooses the query of each document."""
    query_max_tokens: int = Field(default=64, ge=8)
    negatives: int = Field(default=0, ge=0)
    """Number of mined negatives of each pair that enter the batch."""
    alike: bool | Literal["words"] = False
    """Make batches of documents that are alike, so that negatives are hard: `words` finds them by
    their character bigrams in seconds, `true` by the starting network's vectors in minutes."""
    chunk: int | None = Field(default=None, ge=1)
    """Gradient cache: number of texts whose activations are held at once (Gao et al., 2021)."""
    stream: bool = False
    """Leave `pairs` and `general_pairs` in their files and read each when it is needed: memory is
    then 8 bytes for each. Pairs that are made of texts, and `alike`, need the texts in memory."""

    @model_validator(mode="after")
    def _has_data(self) -> Self:
        if not (self.pairs or self.general_pairs or self.abstracts or self.titles):
            raise ValueError("give pairs, general_pairs, abstracts or titles")
        if self.natural and not (self.abstracts or self.titles):
            raise ValueError("natural needs abstracts or titles, whose ids its lines name")
        if self.stream and (self.abstracts or self.titles or self.alike):
            raise ValueError("stream is for pairs and general_pairs; leave the others out")
        return self


class InbatchObjective(NetworkObjective[Pair, InbatchRecipe]):
    recipe_type = InbatchRecipe
    network: Encoder

    def __init__(
        self,
        recipe: InbatchRecipe,
        network: Encoder,
        codec: TextCodec,
        source: PairSource | StreamedPairs,
        vectors: PairVectors | None = None,
    ) -> None:
        """`vectors`, if given, put pairs with similar vectors into one batch."""
        trained, validated = source.split(np.random.default_rng(recipe.seed))
        require_examples(trained)
        log.info("%d pairs in the first epoch, such as %s", len(trained), _sample(trained))
        super().__init__(recipe, network, codec, trained, validated)
        self._source, self._vectors = source, vectors

    @classmethod
    def build(cls, recipe: InbatchRecipe) -> Self:
        files = PairFiles(
            recipe.pairs,
            recipe.general_pairs,
            recipe.natural,
            recipe.abstracts,
            recipe.titles,
            recipe.exclude,
        )
        reads = StreamedPairs if recipe.stream else read_pair_source
        source = reads(files, recipe.per_epoch, recipe.validation)
        paddle.seed(recipe.seed)
        model = recipe.model
        start = read_source(model.source)
        encoder = load_encoder(
            start,
            dropout=model.dropout,
            layers=model.layers,
            pooling=model.pooling,
            dimension=recipe.dimension,
        )
        hidden: int = encoder.body.config.hidden_size
        if encoder.dimension > hidden:
            raise RecipeInvalid(
                f"dimension is {encoder.dimension:,}, and the states of {model.source} have"
                f" {hidden:,} numbers; give dimension of at most {hidden:,}, or null"
            )
        codec = prepared(encoder, recipe)
        texts = source.representatives()
        require_examples([*texts])
        if start.head.get("dimension") is None:
            project_to_principal_axes(
                encoder, codec, [*texts.values()], recipe.max_tokens, recipe.seed
            )
        vectors = None
        if recipe.alike:
            log.info("looking which of %d documents are alike", len(texts))
            vectors = (
                likeness_by_words(texts, recipe.seed)
                if recipe.alike == "words"
                else likeness_by_network(encoder, codec, texts, recipe.max_tokens)
            )
        return cls(recipe, encoder, codec, source, vectors)

    def length(self, example: Pair) -> int:
        return estimated_tokens(len(example.title), self.recipe.max_tokens)

    def group(self, example: Pair) -> str:
        return example.group

    def batching(self) -> Batching[Pair]:
        return replace(super().batching(), vectors=self._vectors, streamed=self.recipe.stream)

    def examples(self, rng: np.random.Generator) -> Sequence[Pair]:
        return self._source.split(rng)[0]

    def loss(self, batch: list[Pair], rng: np.random.Generator) -> tuple[Tensor, int]:
        texts = self._texts(batch, rng)
        vectors, tokens = forward(self.network, self.codec, self._encode(batch, texts))
        return self._loss(batch, texts, vectors), tokens

    def backward(self, batch: list[Pair], rng: np.random.Generator) -> StepResult:
        if self.recipe.chunk is None:
            return super().backward(batch, rng)
        return self._backward_cached(batch, self._texts(batch, rng), self.recipe.chunk)

    def _texts(self, batch: list[Pair], rng: np.random.Generator) -> list[str]:
        """The documents of the pairs, then mined negatives."""
        texts = [pair.title for pair in batch]
        for pair in batch:
            drawn = rng.permutation(len(pair.negatives))[: self.recipe.negatives]
            texts += [pair.negatives[index] for index in drawn]
        return texts

    def _encode(self, batch: list[Pair], texts: list[str]) -> list[Sequenced]:
        """The token sequences of the queries, then of `texts`."""
        recipe = self.recipe
        queries = self.codec.queries([pair.query for pair in batch], recipe.query_max_tokens)
        return queries + self.codec.documents(texts, recipe.max_tokens)

    def _loss(self, batch: list[Pair], texts: list[str], vectors: Tensor) -> Tensor:
        return contrastive_loss(
            vectors[: len(batch)],
            vectors[len(batch) :],
            [pair.key for pair in batch],
            texts,
            self.recipe.margin,
            self.recipe.scale,
            symmetric=self.recipe.symmetric,
        )

    def _backward_cached(self, batch: list[Pair], texts: list[str], chunk: int) -> StepResult:
        """Gradient cache: the loss's gradient by vectors first, then chunk by chunk by weights.

        Dropout must fall alike in both passes of a chunk, so each starts from the same seed.
        """
        items = self._encode(batch, texts)
        starts = range(0, len(items), chunk)
        states, blocks, tokens = [], [], 0
        with paddle.no_grad():
            for start in starts:
                states.append(paddle.get_rng_state())
                block, read = forward(self.network, self.codec, items[start : start + chunk])
                blocks.append(block)
                tokens += read
        vectors = paddle.concat(blocks)
        vectors.stop_gradient = False
        loss = self._loss(batch, texts, vectors)
        loss.backward()
        gradient, after = cast("Tensor", vectors.grad), paddle.get_rng_state()
        for start, state in zip(starts, states, strict=True):
            paddle.set_rng_state(state)
            block, _ = forward(self.network, self.codec, items[start : start + chunk])
            (block * gradient[start : start + chunk]).sum().backward()
        paddle.set_rng_state(after)
        return StepResult(float(loss), tokens)


def _sample(pairs: Sequence[Pair]) -> str:
    groups: dict[str, Sequence[Pair]] = {}
    if isinstance(pairs, Parts):
        groups = {part[0].group: part for part in pairs.parts}
    else:
        by_group = defaultdict(list)
        for pair in pairs:
            by_group[pair.group].append(pair)
        groups |= by_group
    shown = {group: members[len(members) - 1] for group, members in groups.items()}
    return "; ".join(
        f"{group} ({len(groups[group])}): {shown[group].query[:30]} -> {shown[group].title[:30]}"
        for group in sorted(groups)
    )
