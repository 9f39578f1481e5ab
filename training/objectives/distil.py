"""A smaller encoder learns the vectors that a larger one makes of queries and documents."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from paddle import Tensor
from pydantic import Field

from training.data.pairs import normal, texts_of
from training.data.readers import Malformed, columns, read_lines
from training.data.texts import held_back, read_documents
from training.networks.encoder import Encoder
from training.networks.forward import forward
from training.networks.tokenization import TextCodec
from training.objectives.base import (
    NetworkObjective,
    estimated_tokens,
    prepared,
    require_examples,
)
from training.objectives.teacher import VectorTeacher, cosine_loss
from training.run.recipe import Recipe

log = logging.getLogger(__name__)


class DistilRecipe(Recipe):
    teacher: Path
    """Model directory of the encoder whose vectors are learnt, as it makes them in service."""
    corpus: tuple[Path, ...] = Field(min_length=1)
    """jsonl of documents: `id`, `title`, `text` or `abstract`."""
    queries: tuple[Path, ...] = ()
    """`kind<TAB>query<TAB>id` files: queries written for a document of `corpus`."""
    exclude: tuple[Path, ...] = ()
    """jsonl of evaluation papers, which are left out with the queries for them."""
    query_max_tokens: int = Field(default=64, ge=8)


@dataclass(frozen=True, slots=True)
class TaughtText:
    """A text whose vector is learnt."""

    text: str
    key: str
    """The id of the document; a document and its queries train or validate together."""
    query: bool


class DistilObjective(NetworkObjective[TaughtText, DistilRecipe]):
    recipe_type = DistilRecipe
    network: Encoder

    def __init__(
        self,
        recipe: DistilRecipe,
        network: Encoder,
        codec: TextCodec,
        texts: Iterable[TaughtText],
        teacher: VectorTeacher,
    ) -> None:
        trained, validated = list[TaughtText](), list[TaughtText]()
        for text in texts:
            (validated if held_back(text.key, recipe.validation) else trained).append(text)
        require_examples(trained)
        log.info("%d texts to train on, %d to validate on", len(trained), len(validated))
        super().__init__(recipe, network, codec, trained, validated)
        self._teacher = teacher

    @classmethod
    def build(cls, recipe: DistilRecipe) -> Self:
        # The teacher is opened first, so that a wrong directory is named before the data are read.
        teacher = VectorTeacher.open(recipe.teacher)
        texts = _read(recipe)
        encoder = teacher.student(recipe)
        return cls(recipe, encoder, prepared(encoder, recipe), texts, teacher)

    def length(self, example: TaughtText) -> int:
        return estimated_tokens(len(example.text), self._most(example))

    def group(self, example: TaughtText) -> bool:
        return example.query

    def loss(self, batch: list[TaughtText], rng: np.random.Generator) -> tuple[Tensor, int]:
        del rng  # Nothing is drawn.
        texts, most = [item.text for item in batch], self._most(batch[0])
        if batch[0].query:
            items, taught = self.codec.queries(texts, most), self._teacher.queries(texts)
        else:
            items, taught = self.codec.documents(texts, most), self._teacher.documents(texts)
        vectors, tokens = forward(self.network, self.codec, items)
        return cosine_loss(vectors, taught), tokens

    def _most(self, example: TaughtText) -> int:
        return self.recipe.query_max_tokens if example.query else self.recipe.max_tokens


def _read(recipe: DistilRecipe) -> list[TaughtText]:
    """The documents and the queries for them. Raises DataInvalid."""
    held_out = texts_of(recipe.exclude)
    documents = read_documents(recipe.corpus, held_out)
    cells = columns(3, 3)

    def query(line: str) -> TaughtText:
        _, text, key = cells(line)
        if key not in documents:
            raise Malformed(f"{key!r} is no id of the corpus, or is held out")
        if normal(text) in held_out:
            raise Malformed("the query is a text of a paper that is held out")
        return TaughtText(text, key, query=True)

    texts = [TaughtText(text, key, query=False) for key, text in documents.items()]
    for path in recipe.queries:
        texts += read_lines(path, query)[0]
    return texts
