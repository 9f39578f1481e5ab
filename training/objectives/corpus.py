"""The loss of finding a query's document among all documents of a corpus, whose vectors stay.

The documents' vectors are made once, by the encoder that training starts from or another one, so a
step reads queries alone and every document is a negative (ADORE: Zhan et al., "Optimizing Dense
Retrieval Model Training with Hard Negatives", 2021). One network makes the vectors of queries and
of documents here, so each step also reads a few documents and keeps their vectors as they were.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from paddle import Tensor
from pydantic import Field, model_validator

from services.common.engine.predictor import FloatArray
from training import durable
from training.data.pairs import PARTS, Pair
from training.data.sources import PairFiles, PairSource, read_pair_source
from training.networks.encoder import Encoder
from training.networks.forward import forward
from training.networks.tokenization import TextCodec
from training.objectives.base import (
    NetworkObjective,
    estimated_tokens,
    prepared,
    require_examples,
)
from training.objectives.contrastive import FAR
from training.objectives.teacher import VectorTeacher, cosine_loss
from training.run.recipe import PerEpoch, Recipe

log = logging.getLogger(__name__)

_AT_ONCE = 500
"""Number of documents whose vectors are made between two lines of the log."""


class CorpusRecipe(Recipe):
    teacher: Path
    """Model directory of the encoder that makes the vectors of the documents, as in service."""
    natural: tuple[Path, ...] = ()
    """`kind<TAB>query<TAB>id` files: queries written for a document of `abstracts` or `titles`."""
    general_pairs: tuple[Path, ...] = ()
    """`query<TAB>title` files: the title is a document. Only pairs on the training side of the
    evaluation split are used."""
    abstracts: tuple[Path, ...] = ()
    """jsonl with `id` and `abstract` or `text`: documents, of which queries are also made each
    epoch."""
    titles: tuple[Path, ...] = ()
    """jsonl with `id` and `title`: documents, of which queries are also made each epoch."""
    exclude: tuple[Path, ...] = ()
    """jsonl of evaluation papers, which are left out with the queries for them."""
    per_epoch: PerEpoch = Field(default_factory=dict)
    """Most examples of a group in an epoch, by the group's name; the log lists the groups."""
    scale: float = Field(default=30.0, gt=0)
    """Factor of the cosines before the softmax (the inverse of its temperature)."""
    alike: float = Field(default=0.93, gt=0, le=1)
    """Cosine from which a document is so like the answer that it is no negative."""
    kept_documents: int = Field(default=6, ge=0)
    """Number of documents that a step draws to keep their vectors as they were."""
    keep: float = Field(default=20.0, ge=0)
    """Weight of keeping them beside the loss of the queries."""
    query_max_tokens: int = Field(default=48, ge=8)

    @model_validator(mode="after")
    def _has_data(self) -> Self:
        if not (self.general_pairs or self.abstracts or self.titles):
            raise ValueError("give general_pairs, abstracts or titles")
        if self.natural and not (self.abstracts or self.titles):
            raise ValueError("natural needs abstracts or titles, whose ids its lines name")
        return self


class CorpusObjective(NetworkObjective[Pair, CorpusRecipe]):
    recipe_type = CorpusRecipe
    network: Encoder

    def __init__(
        self,
        recipe: CorpusRecipe,
        network: Encoder,
        codec: TextCodec,
        source: PairSource,
        documents: Mapping[str, str],
        vectors: FloatArray,
    ) -> None:
        """`documents` are the texts of the corpus by key, and `vectors` their unit vectors, float32
        [documents, dimension], in the same order."""
        self.source = source
        trained, validated = self._split(np.random.default_rng(recipe.seed))
        require_examples(trained)
        super().__init__(recipe, network, codec, trained, validated)
        self._texts, self.vectors = [*documents.values()], vectors
        self._corpus = paddle.to_tensor(vectors)
        self._row = {key: row for row, key in enumerate(documents)}
        log.info("%d queries in the first epoch, %d documents", len(trained), len(documents))

    @classmethod
    def build(cls, recipe: CorpusRecipe) -> Self:
        # The teacher is opened first, so that a wrong directory is named before the data are read.
        teacher = VectorTeacher.open(recipe.teacher)
        files = PairFiles(
            general_pairs=recipe.general_pairs,
            natural=recipe.natural,
            abstracts=recipe.abstracts,
            titles=recipe.titles,
            exclude=recipe.exclude,
        )
        source = read_pair_source(files, recipe.per_epoch, recipe.validation)
        encoder = teacher.student(recipe)
        documents = source.documents()
        require_examples([*documents])
        vectors = _vectors(teacher, [*documents.values()], recipe.output)
        return cls(recipe, encoder, prepared(encoder, recipe), source, documents, vectors)

    def length(self, example: Pair) -> int:
        return estimated_tokens(len(example.query), self.recipe.query_max_tokens)

    def examples(self, rng: np.random.Generator) -> Sequence[Pair]:
        return self._split(rng)[0]

    def loss(self, batch: list[Pair], rng: np.random.Generator) -> tuple[Tensor, int]:
        recipe = self.recipe
        drawn = rng.integers(len(self._texts), size=recipe.kept_documents)
        items = self.codec.queries([pair.query for pair in batch], recipe.query_max_tokens)
        items += self.codec.documents([self._texts[row] for row in drawn], recipe.max_tokens)
        vectors, tokens = forward(self.network, self.codec, items)
        answers = np.array([self._row[pair.key] for pair in batch])
        loss = self._found(vectors[: len(batch)], answers)
        if recipe.kept_documents:
            kept = cosine_loss(vectors[len(batch) :], paddle.to_tensor(self.vectors[drawn]))
            loss = loss + recipe.keep * kept
        return loss, tokens

    def _found(self, queries: Tensor, answers: NDArray[np.int64]) -> Tensor:
        """Cross-entropy of finding the rows `answers`, int64 [n], of the corpus by cosine with
        `queries`, float32 [n, dimension]."""
        near = self.vectors[answers] @ self.vectors.T > self.recipe.alike
        near[np.arange(len(answers)), answers] = False
        cosines = paddle.matmul(queries, self._corpus, transpose_y=True)
        logits = cosines * self.recipe.scale + paddle.to_tensor(near.astype(np.float32) * FAR)
        return F.cross_entropy(logits, paddle.to_tensor(answers))

    def _split(self, rng: np.random.Generator) -> tuple[list[Pair], list[Pair]]:
        """The pairs of an epoch that train, and those that validate."""
        trained, validated = self.source.split(rng)
        return _whole(trained), _whole(validated)


def _whole(pairs: Iterable[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair.group not in PARTS]


def _vectors(teacher: VectorTeacher, texts: Sequence[str], run: Path) -> FloatArray:
    """The teacher's vectors of the texts, which are kept in the directory of the run, since a run
    that goes on needs them again."""
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
    path = run / f"vectors-{digest}.npy"
    if not path.is_file():
        run.mkdir(parents=True, exist_ok=True)
        blocks = []
        for start in range(0, len(texts), _AT_ONCE):
            log.info("making the vectors of %d documents: %d made", len(texts), start)
            blocks.append(teacher.documents(texts[start : start + _AT_ONCE]).numpy())
        made = np.concatenate(blocks)
        durable.replace(path, lambda stream: np.save(stream, made), alone=True)
    vectors: FloatArray = np.load(path)
    return vectors
