"""The networks: any ERNIE-family body, as an encoder or under a ranker."""

from pathlib import Path
from typing import Any, Literal

import paddle
import paddle.nn.functional as F  # noqa: N812 - the name that every Paddle text uses
from paddle import Tensor, nn
from paddlenlp.transformers import ErnieForMaskedLM, ErnieModel
from paddlenlp.utils.log import logger as paddlenlp_logger

from training.failures import ModelUnknown

Pooling = Literal["mean", "cls"]


def load_body(source: str | Path, *, dropout: float, layers: int | None = None) -> ErnieModel:
    """An ERNIE body by paddlenlp's name for it, or from a directory with `config.json`.

    `layers` keeps only the first so many. Raises ModelUnknown.
    """
    paddlenlp_logger.set_level("ERROR")
    if not Path(source).is_dir() and str(source) not in ErnieModel.pretrained_init_configuration:
        raise ModelUnknown(
            f"{source} is neither a directory nor a model that paddlenlp knows, such as"
            " ernie-3.0-nano-zh; docs/training.md says where to get the starter"
        )
    options: dict[str, Any] = {
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
    }
    if layers is not None:
        options["num_hidden_layers"] = layers
    return ErnieModel.from_pretrained(str(source), **options)


class Encoder(nn.Layer):
    """Texts to unit vectors: body, pooling over the text's tokens, optional projection."""

    def __init__(
        self, body: ErnieModel, *, pooling: Pooling = "mean", dimension: int | None = None
    ) -> None:
        super().__init__()
        self.body = body
        self.pooling: Pooling = pooling
        hidden = body.config.hidden_size
        self.projection = nn.Linear(hidden, dimension, bias_attr=False) if dimension else None
        self.dimension: int = dimension or hidden

    def pooled(self, input_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        """Text vectors before the projection, [batch, hidden], not normalised."""
        return _pool(self.body, self.pooling, input_ids, token_type_ids)

    def forward(self, input_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        """int64 [batch, tokens] twice to float32 [batch, dimension], L2-normalised."""
        vectors = self.pooled(input_ids, token_type_ids)
        if self.projection is not None:
            vectors = self.projection(vectors)
        return F.normalize(vectors, axis=-1)


def _pool(body: ErnieModel, pooling: Pooling, input_ids: Tensor, token_type_ids: Tensor) -> Tensor:
    states: Tensor
    states, _ = body(input_ids, token_type_ids=token_type_ids)
    if pooling == "cls":
        first: Tensor = states[:, 0]
        return first
    return mean_of(states, (input_ids != body.config.pad_token_id).astype(states.dtype))


def mean_of(states: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the chosen tokens: states [batch, tokens, hidden], chosen 0 or 1 [batch, tokens].

    As a product: every engine has a fast one, while some sum over a middle axis slowly.
    """
    total = paddle.matmul(chosen.unsqueeze(1), states).squeeze(1)
    mean: Tensor = total / paddle.clip(chosen.sum(axis=1, keepdim=True), min=1.0)
    return mean


def masked_language_model(body: ErnieModel) -> ErnieForMaskedLM:
    """The body under a masked-token head whose output matrix is the word embedding."""
    model = ErnieForMaskedLM(body.config)
    model.ernie = body
    model.cls.predictions.decoder_weight = body.embeddings.word_embeddings.weight
    return model
