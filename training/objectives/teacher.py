"""Served models as teachers, which read texts as they do in service: as much of them, in int8
where the model has it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import Tensor

from services.common.engine import Encoder, PredictorOptions, Ranker, open_encoder, open_ranker
from services.common.model_dir import ModelManifest
from training.failures import RecipeInvalid
from training.networks.directory import load_encoder
from training.networks.encoder import Encoder as NetworkEncoder
from training.run.recipe import Recipe

_OPTIONS = PredictorOptions(precision="small")


class RankTeacher:
    """A ranker whose scores of a list of documents are taught."""

    def __init__(self, ranker: Ranker) -> None:
        self._ranker = ranker

    @classmethod
    def open(cls, directory: Path) -> "RankTeacher":
        """The ranker of a model directory. Raises ModelInvalid."""
        return cls(open_ranker(directory, _OPTIONS))

    def logits(self, lists: Iterable[tuple[str, Sequence[str]]]) -> Tensor:
        """Logits float32 [lists, documents] of each query with its documents, as many for each.

        Raises ModelUnavailable.
        """
        ranker = self._ranker
        rows = [
            ranker.pair_tokens(query, _rendered(ranker.manifest, documents))
            for query, documents in lists
        ]
        scores = ranker.forward.many([pair for row in rows for pair in row])
        return paddle.to_tensor(scores.reshape([len(rows), -1]))


class VectorTeacher:
    """An encoder whose vectors are taught."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @classmethod
    def open(cls, directory: Path) -> "VectorTeacher":
        """The encoder of a model directory. Raises ModelInvalid."""
        return cls(open_encoder(directory, _OPTIONS))

    @property
    def dimension(self) -> int:
        """Number of dimensions of a vector."""
        return self._encoder.dimension

    def student(self, recipe: Recipe) -> NetworkEncoder:
        """The encoder that a recipe starts from, to learn with these vectors.

        Raises RecipeInvalid if its vectors have another dimension, and as `load_encoder` does.
        """
        paddle.seed(recipe.seed)
        model = recipe.model
        encoder = load_encoder(
            model.source, dropout=model.dropout, layers=model.layers, pooling=model.pooling
        )
        if encoder.dimension != self.dimension:
            raise RecipeInvalid(
                f"the teacher's vectors have {self.dimension} dimensions, those of"
                f" {model.source} {encoder.dimension}; start from a network of the same size"
            )
        return encoder

    def queries(self, queries: Sequence[str]) -> Tensor:
        """Unit vectors float32 [n, dimension] of queries. Raises ModelUnavailable."""
        return paddle.to_tensor(self._encoder.encode_queries(queries))

    def documents(self, documents: Sequence[str]) -> Tensor:
        """Unit vectors float32 [n, dimension] of documents. Raises ModelUnavailable."""
        encoder = self._encoder
        return paddle.to_tensor(encoder.encode(_rendered(encoder.manifest, documents)))


def distillation_loss(logits: Tensor, taught: Tensor) -> Tensor:
    """Mean over lists of the Kullback-Leibler divergence of the student's softmax from the
    teacher's; both float32 [n, documents].

    It is 0 where both divide a list alike. Its gradient is that of the cross-entropy of the two
    (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, at temperature 1).
    """
    divergence = F.kl_div(F.log_softmax(logits), F.softmax(taught), reduction="none")
    return divergence.sum(axis=1).mean()


def cosine_loss(vectors: Tensor, taught: Tensor) -> Tensor:
    """Mean of 1 - cosine of unit vectors float32 [n, dimension] and those that a teacher makes."""
    return 1 - (vectors * taught).sum(axis=1).mean()


def _rendered(manifest: ModelManifest, documents: Iterable[str]) -> list[str]:
    """What the model reads of documents: of title, line break and text, or of only one of them."""
    parts = (document.partition("\n") for document in documents)
    return [manifest.document_text(title, text) for title, _, text in parts]
