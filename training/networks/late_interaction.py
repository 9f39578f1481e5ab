"""A ranker that reads query and document apart and compares their tokens at the end.

A cross-encoder that starts from an encoder has to learn from nothing what a pair's relevance is.
This network starts where the encoder ends: its first layers keep the two sides apart, so that the
states of each side are those of the encoder, and its head begins as the cosine of the two texts
plus the best match of each token on the other side (late interaction: Khattab and Zaharia, 2020).
The last `joint_layers` layers attend across the sides, and a joint score, zero at first, learns
what the comparison misses.
"""

import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import Tensor, nn
from paddlenlp.transformers import ErnieModel

from services.common.model_dir import INPUTS, InputName
from training.networks.encoder import Pooling, mean_of
from training.networks.prefixes import NO_PREFIXES, Prefixes

MASKED = -1e4
_START_SLOPE = 5.0
_LEAST_SQUARE = 1e-24


class LateInteraction(nn.Layer):
    """Computes relevance logits of pairs of texts."""

    inputs: tuple[InputName, ...] = INPUTS
    """The inputs of `forward`, which export writes into the manifest."""

    def __init__(
        self,
        body: ErnieModel,
        *,
        separator_id: int,
        joint_layers: int = 1,
        prefixes: Prefixes = NO_PREFIXES,
    ) -> None:
        """`separator_id` is the token that ends a side; the last `joint_layers` layers see both."""
        super().__init__()
        self.body = body
        self.prefixes = prefixes
        self.pooling: Pooling = "mean"
        self.separator_id = separator_id
        self.joint_layers = joint_layers
        hidden = body.config.hidden_size
        zero = nn.initializer.Constant(0.0)
        self.importance = nn.Linear(hidden, 1, weight_attr=zero, bias_attr=False)
        self.dense = nn.Linear(hidden, hidden)
        self.joint = nn.Linear(hidden, 1, weight_attr=zero, bias_attr=False)
        self.match = nn.Linear(3, 1, weight_attr=nn.initializer.Constant(_START_SLOPE))

    def forward(self, input_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        """Logits float32 [batch] of token ids and token types, each int64 [batch, tokens]."""
        present = input_ids != self.body.config.pad_token_id
        separators = (input_ids == self.separator_id).astype("int64")
        on_right = (paddle.cumsum(separators, axis=1) - separators) >= 1
        states = self._states(input_ids, token_type_ids, present, on_right)
        left = paddle.logical_and(present, paddle.logical_not(on_right)).astype(states.dtype)
        right = paddle.logical_and(present, on_right).astype(states.dtype)
        whole = F.cosine_similarity(mean_of(states, left), mean_of(states, right), axis=-1)
        # Special tokens only mark the sides, so they are not matched as words.
        words = (input_ids != self.separator_id).astype(states.dtype)
        words = words * (paddle.cumsum(paddle.ones_like(input_ids), axis=1) > 1).astype(words.dtype)
        matched = self._matched(states, left * words, right * words)
        features = paddle.stack([whole, *matched], axis=-1)
        together = F.tanh(self.dense(mean_of(states, left + right)))
        logits: Tensor = (self.match(features) + self.joint(together)).squeeze(-1)
        return logits

    def _states(
        self, input_ids: Tensor, token_type_ids: Tensor, present: Tensor, on_right: Tensor
    ) -> Tensor:
        # Positions begin at 0 on each side, as they do when the encoder reads the side alone.
        index = paddle.cumsum(paddle.ones_like(input_ids), axis=1) - 1
        offset = paddle.logical_not(on_right).astype("int64").sum(axis=1, keepdim=True)
        positions = index - offset * on_right.astype("int64")
        absent = (1.0 - present.astype("float32")).unsqueeze([1, 2]) * MASKED
        # The entry is 1 if two tokens are of different sides; it is a product for the reason given
        # in `mean_of`.
        right = on_right.astype("float32")
        own, other = paddle.stack([right, 1.0 - right], 2), paddle.stack([1.0 - right, right], 2)
        across = paddle.matmul(own, other, transpose_y=True).unsqueeze(1) * MASKED
        states: Tensor = self.body.embeddings(
            input_ids, token_type_ids=token_type_ids, position_ids=positions
        )
        layers = self.body.encoder.layers
        for depth, layer in enumerate(layers):
            together = depth >= len(layers) - self.joint_layers
            states = layer(states, absent if together else absent + across)
        return states

    def _matched(self, states: Tensor, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """For each side, the mean best match of its words on the other side: float32 [batch] twice.

        Words are weighted by a learned importance.
        """
        # F.normalize takes its norms one by one, outside the vectorised kernels, and is slower.
        squares = (states * states).sum(axis=-1, keepdim=True)
        unit = states * paddle.rsqrt(paddle.clip(squares, min=_LEAST_SQUARE))
        similar = paddle.matmul(unit, unit, transpose_y=True)
        weight = self.importance(states).squeeze(-1)
        result = []
        for own, other in ((left, right), (right, left)):
            best = (similar + (1.0 - other).unsqueeze(1) * MASKED).max(axis=2)
            # Otherwise a side without words would match everything.
            best = paddle.clip(best, min=-1.0)
            share = F.softmax(weight + (1.0 - own) * MASKED, axis=1)
            result.append((best * share).sum(axis=1))
        return result[0], result[1]
