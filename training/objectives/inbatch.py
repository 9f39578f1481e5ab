"""In-batch negatives: a query should find its own title among all titles of the batch."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import Tensor

from services.common.engine.predictor import FloatArray
from training.backbone import Encoder
from training.config import InbatchRecipe
from training.data.pairs import Pair
from training.data.stream import Batching
from training.forward import forward
from training.networks import save_network
from training.objectives import StepResult
from training.tokenization import Ids, TextCodec, save_tokenizer

PairSource = Callable[[np.random.Generator], Sequence[Pair]]
PairVectors = Callable[[Sequence[Pair]], FloatArray]
"""float32 [pairs, dimension]."""
FAR = -1e4


def contrastive_loss(
    queries: Tensor,
    titles: Tensor,
    keys: Sequence[str],
    margin: float,
    scale: float,
    *,
    symmetric: bool = False,
) -> Tensor:
    """Softmax over cosines, the positive's less `margin`, times `scale` (Yu et al., AM-Softmax).

    queries float32 [n, d], titles float32 [n + extra, d] with title i the answer to query i and
    mined negatives after them. Titles that share a query's key are no negatives of it.
    `symmetric` adds the choice of a query for each title and takes the mean.
    """
    count = queries.shape[0]
    cosines = paddle.matmul(queries, titles, transpose_y=True)
    own = np.eye(count, titles.shape[0], dtype=np.float32)
    names = np.array(keys, dtype=object)
    same = np.zeros_like(own)
    same[:, :count] = (names[:, None] == names[None, :]).astype(np.float32)
    logits = (cosines - margin * paddle.to_tensor(own)) * scale
    logits = logits + paddle.to_tensor((same - own) * FAR)
    answers = paddle.arange(count)
    loss = F.cross_entropy(logits, answers)
    if symmetric:
        loss = (loss + F.cross_entropy(logits[:, :count].t(), answers)) / 2
    return loss


class InbatchObjective:
    def __init__(
        self,
        recipe: InbatchRecipe,
        encoder: Encoder,
        codec: TextCodec,
        source: PairSource,
        held_back: Sequence[Pair],
        vectors: PairVectors | None = None,
    ) -> None:
        """Batches are of pairs that are alike by `vectors`, where given."""
        self.network = encoder
        self._vectors = vectors
        self._recipe, self._codec = recipe, codec
        self._source, self._held_back = source, held_back
        self._start = (
            {name: value.clone() for name, value in encoder.state_dict().items()}
            if recipe.average_with_start
            else {}
        )

    def batching(self) -> Batching[Pair]:
        recipe = self._recipe
        # A Chinese character is about 0.6 tokens; the exact count is not worth a tokenizer pass.
        return Batching(
            size=recipe.batch_size,
            tokens=recipe.batch_tokens,
            length=lambda pair: min(recipe.max_tokens, 8 + int(len(pair.title) * 0.7)),
            group=lambda pair: pair.group,
            vectors=self._vectors,
        )

    def examples(self, rng: np.random.Generator) -> Sequence[Pair]:
        return self._source(rng)

    def validation(self) -> Sequence[Pair]:
        return self._held_back

    def backward(self, batch: list[Pair], rng: np.random.Generator) -> StepResult:
        items = self._encode(batch, rng)
        if self._recipe.chunk is not None:
            return self._backward_cached(batch, items, self._recipe.chunk)
        vectors, tokens = forward(self.network, self._codec, items)
        loss = self._loss(batch, vectors)
        loss.backward()
        return StepResult(float(loss), tokens)

    def evaluate(self, batch: list[Pair], rng: np.random.Generator) -> StepResult:
        vectors, tokens = forward(self.network, self._codec, self._encode(batch, rng))
        return StepResult(float(self._loss(batch, vectors)), tokens)

    def save(self, directory: Path) -> None:
        kept = self._recipe.average_with_start
        trained = {name: value.clone() for name, value in self.network.state_dict().items()}
        if kept:
            self.network.set_state_dict(
                {
                    name: kept * self._start[name] + (1 - kept) * value
                    for name, value in trained.items()
                }
            )
        save_network(self.network, directory)
        save_tokenizer(self._codec.tokenizer, self._recipe.model.source, directory)
        self.network.set_state_dict(trained)

    def _encode(self, batch: list[Pair], rng: np.random.Generator) -> list[tuple[Ids, Ids]]:
        """Queries, then titles, then mined negatives."""
        recipe = self._recipe
        texts = [pair.title for pair in batch]
        for pair in batch:
            drawn = rng.permutation(len(pair.negatives))[: recipe.negatives]
            texts += [pair.negatives[index] for index in drawn]
        queries = self._codec.texts([pair.query for pair in batch], recipe.query_max_tokens)
        return queries + self._codec.texts(texts, recipe.max_tokens)

    def _loss(self, batch: list[Pair], vectors: Tensor) -> Tensor:
        return contrastive_loss(
            vectors[: len(batch)],
            vectors[len(batch) :],
            [pair.key for pair in batch],
            self._recipe.margin,
            self._recipe.scale,
            symmetric=self._recipe.symmetric,
        )

    def _backward_cached(
        self,
        batch: list[Pair],
        items: Sequence[tuple[Ids, Ids]],
        chunk: int,
    ) -> StepResult:
        """Gradient cache: the loss's gradient by vectors first, then chunk by chunk by weights.

        Dropout must fall alike in both passes of a chunk, so each starts from the same seed.
        """
        starts = range(0, len(items), chunk)
        states, blocks, tokens = [], [], 0
        with paddle.no_grad():
            for start in starts:
                states.append(paddle.get_rng_state())
                block, read = forward(self.network, self._codec, items[start : start + chunk])
                blocks.append(block)
                tokens += read
        vectors = paddle.concat(blocks)
        vectors.stop_gradient = False
        loss = self._loss(batch, vectors)
        loss.backward()
        gradient, after = cast("Tensor", vectors.grad), paddle.get_rng_state()
        for start, state in zip(starts, states, strict=True):
            paddle.set_rng_state(state)
            block, _ = forward(self.network, self._codec, items[start : start + chunk])
            (block * gradient[start : start + chunk]).sum().backward()
        paddle.set_rng_state(after)
        return StepResult(float(loss), tokens)


def pair_vectors(
    encoder: Encoder, codec: TextCodec, texts: Mapping[str, str], max_tokens: int
) -> PairVectors:
    """What the encoder, as it is now, makes of the text that stands for a pair's key."""
    encoder.eval()
    with paddle.no_grad():
        found, _ = forward(encoder, codec, codec.texts([*texts.values()], max_tokens))
    by_key = dict(zip(texts, found.numpy(), strict=True))
    return lambda pairs: np.stack([by_key[pair.key] for pair in pairs])


def project_to_principal_axes(
    encoder: Encoder, codec: TextCodec, texts: Sequence[str], max_tokens: int
) -> None:
    """Start the projection at the directions that keep most of the vectors' length.

    A random start would throw away what the body already knows about similarity.
    """
    if encoder.projection is None:
        return
    encoder.eval()
    with paddle.no_grad():
        pooled, _ = forward(encoder.pooled, codec, codec.texts(texts, max_tokens))
    vectors = F.normalize(pooled).numpy()
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    encoder.projection.weight.set_value(
        np.ascontiguousarray(axes[:, ::-1][:, : encoder.dimension]).astype(np.float32)
    )
