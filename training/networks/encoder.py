"""The network of an encoder: texts to unit vectors."""

from typing import Literal

import paddle
import paddle.nn.functional as F  # noqa: N812 - the name that every Paddle text uses
from paddle import Tensor, nn
from paddlenlp.transformers import ErnieModel

from services.common.model_dir import INPUTS, InputName
from training.networks.prefixes import NO_PREFIXES, Prefixes

Pooling = Literal["mean", "cls", "pooler"]
"""Ways to make a text's vector from token states: their mean, the first token's state, or ERNIE's
pooler (a dense layer and tanh over the first token's state)."""


class Encoder(nn.Layer):
    """Computes unit vectors of texts: body, pooling over the text's tokens, optional projection."""

    inputs: tuple[InputName, ...] = INPUTS
    """The inputs of `forward`, which export writes into the manifest."""

    def __init__(
        self,
        body: ErnieModel,
        *,
        pooling: Pooling = "mean",
        dimension: int | None = None,
        projection_bias: bool = False,
        prefixes: Prefixes = NO_PREFIXES,
    ) -> None:
        """`dimension` adds a linear projection; None keeps the body's hidden size."""
        super().__init__()
        self.body = body
        self.pooling: Pooling = pooling
        self.prefixes = prefixes
        hidden = body.config.hidden_size
        bias = None if projection_bias else False
        self.projection = nn.Linear(hidden, dimension, bias_attr=bias) if dimension else None
        self.dimension: int = dimension or hidden

    def pooled(self, input_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        """Text vectors before the projection, float32 [batch, hidden], not normalised."""
        return pool(self.body, self.pooling, input_ids, token_type_ids)

    def forward(self, input_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        """Vectors float32 [batch, dimension], L2-normalised, of token ids and token types int64
        [batch, tokens]."""
        vectors = self.pooled(input_ids, token_type_ids)
        if self.projection is not None:
            vectors = self.projection(vectors)
        return F.normalize(vectors, axis=-1)


def pool(body: ErnieModel, pooling: Pooling, input_ids: Tensor, token_type_ids: Tensor) -> Tensor:
    """One vector for each sequence from the body's states: float32 [batch, hidden]."""
    states: Tensor
    states, first_through_pooler = body(input_ids, token_type_ids=token_type_ids)
    match pooling:
        case "pooler":
            vectors: Tensor = first_through_pooler
        case "cls":
            vectors = states[:, 0]
        case "mean":
            present = (input_ids != body.config.pad_token_id).astype(states.dtype)
            vectors = mean_of(states, present)
    return vectors


def mean_of(states: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the chosen tokens: states [batch, tokens, hidden], chosen 0 or 1 [batch, tokens].

    It is written as a product, which every engine computes fast, while some are slow at sums over a
    middle axis.
    """
    total = paddle.matmul(chosen.unsqueeze(1), states).squeeze(1)
    mean: Tensor = total / paddle.clip(chosen.sum(axis=1, keepdim=True), min=1.0)
    return mean
