"""The plain cross-encoder: query and document are read as one sequence and get one score."""

from paddle import Tensor, nn
from paddlenlp.transformers import ErnieModel

from services.common.model_dir import INPUTS, InputName
from training.networks.encoder import Pooling, pool
from training.networks.prefixes import NO_PREFIXES, Prefixes


class CrossEncoder(nn.Layer):
    """Computes relevance logits of pairs of texts.

    All layers attend across both texts. The states of the whole sequence are pooled, and one linear
    layer makes the score (Nogueira and Cho, "Passage Re-ranking with BERT", 2019).
    """

    inputs: tuple[InputName, ...] = INPUTS
    """The inputs of `forward`, which export writes into the manifest."""

    def __init__(
        self, body: ErnieModel, *, pooling: Pooling = "mean", prefixes: Prefixes = NO_PREFIXES
    ) -> None:
        super().__init__()
        self.body = body
        self.pooling: Pooling = pooling
        self.prefixes = prefixes
        self.dropout = nn.Dropout(body.config.hidden_dropout_prob)
        self.score = nn.Linear(body.config.hidden_size, 1)

    def forward(self, input_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        """Logits float32 [batch] of token ids and token types, each int64 [batch, tokens]."""
        pooled = pool(self.body, self.pooling, input_ids, token_type_ids)
        logits: Tensor = self.score(self.dropout(pooled)).squeeze(-1)
        return logits
