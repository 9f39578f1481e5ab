"""The ranker: a cross-encoder that compares the tokens of the two sides at its end.

A cross-encoder that starts from an encoder has to learn from nothing what a pair's relevance is.
This one starts where the encoder ends: its first layers keep the sides apart, so that each side's
states are what the encoder makes of it, and its head begins as the cosine of the two texts plus
the best match of each token on the other side (late interaction: Khattab and Zaharia, 2020). The
last layers attend across the sides and a joint score, zero at first, learns what that misses.
"""

import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import Tensor, nn
from paddlenlp.transformers import ErnieModel

from training.backbone import Pooling, mean_of

MASKED = -1e4
_START_SLOPE = 5.0
_LEAST_SQUARE = 1e-24


class Ranker(nn.Layer):
    """Pairs of texts to relevance logits."""

    def __init__(self, body: ErnieModel, *, separator_id: int, joint_layers: int = 1) -> None:
        """`separator_id` ends a side; the last `joint_layers` layers see both sides."""
        super().__init__()
        self.body = body
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
        """int64 [batch, tokens] twice to float32 [batch]."""
        present = input_ids != self.body.config.pad_token_id
        separators = (input_ids == self.separator_id).astype("int64")
        on_right = (paddle.cumsum(separators, axis=1) - separators) >= 1
        states = self._states(input_ids, token_type_ids, present, on_right)
        left = paddle.logical_and(present, paddle.logical_not(on_right)).astype(states.dtype)
        right = paddle.logical_and(present, on_right).astype(states.dtype)
        whole = F.cosine_similarity(mean_of(states, left), mean_of(states, right), axis=-1)
        # Specials mark the sides; they are no words to match.
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
        # Each side's positions begin at 0, as they do when the encoder reads it alone.
        index = paddle.cumsum(paddle.ones_like(input_ids), axis=1) - 1
        offset = paddle.logical_not(on_right).astype("int64").sum(axis=1, keepdim=True)
        positions = index - offset * on_right.astype("int64")
        absent = (1.0 - present.astype("float32")).unsqueeze([1, 2]) * MASKED
        # 1 where two tokens are of different sides. As a product, see `mean_of`.
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
        """How well the words of each side are met on the other, by importance: float32 [batch]."""
        # F.normalize would take its norms one by one, outside the vectorised kernels.
        squares = (states * states).sum(axis=-1, keepdim=True)
        unit = states * paddle.rsqrt(paddle.clip(squares, min=_LEAST_SQUARE))
        similar = paddle.matmul(unit, unit, transpose_y=True)
        weight = self.importance(states).squeeze(-1)
        result = []
        for own, other in ((left, right), (right, left)):
            best = (similar + (1.0 - other).unsqueeze(1) * MASKED).max(axis=2)
            # A side without words matches nothing rather than everything.
            best = paddle.clip(best, min=-1.0)
            share = F.softmax(weight + (1.0 - own) * MASKED, axis=1)
            result.append((best * share).sum(axis=1))
        return result[0], result[1]
