"""A body under a head that predicts hidden tokens, for pretraining."""

import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import Tensor, nn
from paddlenlp.transformers import ErnieModel

from training.networks.prefixes import NO_PREFIXES, Prefixes
from training.networks.weights import State

_NAMES = {
    "transform.weight": "transform.weight",
    "transform.bias": "transform.bias",
    "layer_norm.weight": "norm.weight",
    "layer_norm.bias": "norm.bias",
    "decoder_bias": "bias",
    "decoder.bias": "bias",
}
"""PaddleNLP's names of the head's weights, without the prefix `cls.predictions.`."""


class PredictionHead(nn.Layer):
    """Computes logits over the vocabulary from states, by the word embeddings (Press and Wolf,
    2017)."""

    def __init__(self, hidden: int, vocabulary: int, activation: str, norm_epsilon: float) -> None:
        super().__init__()
        self.transform = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden, epsilon=norm_epsilon)
        self.bias = self.create_parameter([vocabulary], is_bias=True)
        self._activation = getattr(F, activation)

    def forward(self, states: Tensor, words: Tensor) -> Tensor:
        """Logits float32 [tokens, vocabulary] from states [tokens, hidden] and word embeddings
        [vocabulary, hidden]."""
        transformed = self.norm(self._activation(self.transform(states)))
        logits: Tensor = paddle.matmul(transformed, words, transpose_y=True) + self.bias
        return logits


class MaskedLanguageModel(nn.Layer):
    """Predicts hidden tokens; the matrix of its head is the body's word embedding itself."""

    def __init__(self, body: ErnieModel, *, prefixes: Prefixes = NO_PREFIXES) -> None:
        super().__init__()
        self.body = body
        self.prefixes = prefixes
        config = body.config
        self.predictions = PredictionHead(
            config.hidden_size,
            config.vocab_size,
            config.hidden_act,
            body.embeddings.layer_norm._epsilon,  # noqa: SLF001 - Paddle has no public name for it
        )

    def states(self, input_ids: Tensor) -> Tensor:
        """The body's states, float32 [batch, tokens, hidden], of int64 [batch, tokens]."""
        states: Tensor = self.body(input_ids)[0]
        return states

    def logits(self, states: Tensor) -> Tensor:
        """Logits float32 [tokens, vocabulary] from states float32 [tokens, hidden]."""
        logits: Tensor = self.predictions(states, self.body.embeddings.word_embeddings.weight)
        return logits


def prediction_head(heads: State) -> State:
    """The weights of a prediction head as `PredictionHead` names them; empty if none is saved.

    Reads ours (`predictions.…`) and PaddleNLP's (`cls.predictions.…`), whose decoder matrix is the
    word embedding and is left out.
    """
    ours = {
        name.removeprefix("predictions."): value
        for name, value in heads.items()
        if name.startswith("predictions.")
    }
    if ours:
        return ours
    return {
        _NAMES[rest]: value
        for name, value in heads.items()
        if (rest := name.removeprefix("cls.predictions.")) in _NAMES
    }
