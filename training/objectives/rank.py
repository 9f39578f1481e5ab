"""The ranker: a query's document should score above its negatives, or as its grade says."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import Tensor
from pydantic import Field, model_validator

from training.data.judged import Form, JudgedExample, graded_parser, ranked_parser, shows
from training.data.lines import LineFile, Parts, lines_by_kind
from training.data.pairs import normal, texts_of
from training.data.splits import held_out_query
from training.data.stream import Batching
from training.data.texts import held_back, read_documents
from training.networks.directory import Ranker, RankNetwork, load_ranker
from training.networks.forward import forward
from training.networks.tokenization import TextCodec
from training.objectives.base import (
    NetworkObjective,
    estimated_tokens,
    prepared,
    require_examples,
)
from training.objectives.teacher import RankTeacher, distillation_loss
from training.run.recipe import Recipe

log = logging.getLogger(__name__)


class RankRecipe(Recipe):
    network: RankNetwork = "cross"
    """`cross`: every layer attends across query and document, one linear score; `late`: query and
    document are read apart and their tokens compared. A saved ranker stays what it is."""
    joint_layers: int = Field(default=1, ge=0)
    """Number of last layers of a `late` network that attend across query and document."""
    lists: tuple[Path, ...] = ()
    """`query<TAB>answer<TAB>negative...`: texts, or ids of documents where `corpus` is given."""
    corpus: tuple[Path, ...] = ()
    """jsonl of the documents that `lists` name by id: `id`, `title`, `text` or `abstract`."""
    general_lists: tuple[Path, ...] = ()
    """Files like `lists`, of texts; only lists on the training side of the evaluation split are
    used."""
    triples: tuple[Path, ...] = ()
    """`query<TAB>title<TAB>neg_title`: the title should score above its negative."""
    general_triples: tuple[Path, ...] = ()
    """Files like `triples`; only triples on the training side of the evaluation split are used."""
    graded: tuple[Path, ...] = ()
    """`query<TAB>title<TAB>grade`, grades 0 up to `top_grade`; the training side of the split."""
    top_grade: int = Field(default=2, ge=1)
    list_loss: Literal["listwise", "margin"] = "listwise"
    """Loss of lists: the cross-entropy of choosing the answer, or a margin to each negative.
    Triples always have the margin."""
    margin: float = Field(default=0.1, gt=0)
    """Least difference between the sigmoid scores of an answer and a negative."""
    negatives: int | None = Field(default=None, ge=1)
    """Number of a list's negatives that a step reads, drawn anew each time; all where left out."""
    teacher: Path | None = None
    """Model directory of a ranker; the softmax of its scores over the documents of a list is
    learnt beside the answer."""
    teacher_share: float = Field(default=0.5, gt=0, le=1)
    """Share of the teacher's softmax in the loss of a list; the answer has the rest."""
    exclude: tuple[Path, ...] = ()
    """jsonl of evaluation papers; judgements with one of their titles or abstracts are left out."""
    stream: bool = False
    """Leave judgements and `corpus` in their files and read each when it is needed: memory is then
    8 bytes for a judgement and 16 for a document, whatever their length."""

    @model_validator(mode="after")
    def _has_data(self) -> Self:
        if not any(
            (self.triples, self.general_triples, self.graded, self.lists, self.general_lists)
        ):
            raise ValueError("give lists, general_lists, triples, general_triples or graded")
        if self.corpus and not self.lists:
            raise ValueError("corpus is for the ids of lists, and there are no lists")
        if self.teacher and (self.triples or self.general_triples or self.graded):
            raise ValueError("teacher is for lists and general_lists; leave triples and graded out")
        if self.teacher and self.list_loss == "margin":
            raise ValueError("teacher goes with the list_loss listwise")
        return self


class RankObjective(NetworkObjective[JudgedExample, RankRecipe]):
    recipe_type = RankRecipe
    network: Ranker

    def __init__(
        self,
        recipe: RankRecipe,
        network: Ranker,
        codec: TextCodec,
        split: tuple[Sequence[JudgedExample], Sequence[JudgedExample]],
        teacher: RankTeacher | None,
    ) -> None:
        """`split` is the judgements to train on and those to validate on."""
        super().__init__(recipe, network, codec, *split)
        self._teacher = teacher

    @classmethod
    def build(cls, recipe: RankRecipe) -> Self:
        # The teacher is opened first, so that a wrong directory is named before the data are read.
        teacher = RankTeacher.open(recipe.teacher) if recipe.teacher else None
        trained, validated = _split(recipe)
        require_examples(trained)
        log.info("%d judgements to train on, %d to validate on", len(trained), len(validated))
        paddle.seed(recipe.seed)
        model = recipe.model
        ranker = load_ranker(
            model.source,
            dropout=model.dropout,
            layers=model.layers,
            network=recipe.network,
            pooling=model.pooling,
            joint_layers=recipe.joint_layers,
        )
        return cls(recipe, ranker, prepared(ranker, recipe), (trained, validated), teacher)

    def batching(self) -> Batching[JudgedExample]:
        return replace(super().batching(), streamed=self.recipe.stream)

    def length(self, example: JudgedExample) -> int:
        """Tokens of all pairs of a judgement, since they go through the network together."""
        tokens = estimated_tokens(example.characters, self.recipe.max_tokens)
        return tokens * _read_texts(example, self.recipe)

    def group(self, example: JudgedExample) -> tuple[Form, int]:
        return _group(example, self.recipe)

    def loss(self, batch: list[JudgedExample], rng: np.random.Generator) -> tuple[Tensor, int]:
        lists = [(item.query, self._drawn(item, rng)) for item in batch]
        pairs = [(query, text) for query, texts in lists for text in texts]
        items = self.codec.pairs(pairs, self.recipe.max_tokens)
        logits, tokens = forward(self.network, self.codec, items)
        form = batch[0].form
        if form is Form.GRADED:
            grades = np.array([item.grade for item in batch], dtype=np.float32)
            return graded_loss(logits, paddle.to_tensor(grades)), tokens
        table = logits.reshape([len(batch), -1])
        if form is Form.PAIRWISE or self.recipe.list_loss == "margin":
            return margin_loss(table, self.recipe.margin), tokens
        loss = listwise_loss(table)
        if self._teacher is not None:
            share, taught = self.recipe.teacher_share, self._teacher.logits(lists)
            loss = share * distillation_loss(table, taught) + (1 - share) * loss
        return loss, tokens

    def _drawn(self, example: JudgedExample, rng: np.random.Generator) -> tuple[str, ...]:
        answer, *negatives = example.texts
        kept = _read_texts(example, self.recipe) - 1
        if kept == len(negatives):
            return example.texts
        return (answer, *(negatives[at] for at in rng.permutation(len(negatives))[:kept]))


def margin_loss(logits: Tensor, margin: float) -> Tensor:
    """Mean over negatives of max(0, margin - (p(answer) - p(negative))), p the logit's sigmoid.

    logits float32 [n, documents], the answer first. This is the margin ranking loss of PaddleNLP's
    pairwise matching.
    """
    scores = F.sigmoid(logits)
    return F.relu(margin - (scores[:, :1] - scores[:, 1:])).mean()


def listwise_loss(logits: Tensor) -> Tensor:
    """Cross-entropy of choosing the first of float32 [n, documents]."""
    return F.cross_entropy(logits, paddle.zeros([logits.shape[0]], dtype="int64"))


def graded_loss(logits: Tensor, grades: Tensor) -> Tensor:
    """Binary cross-entropy of float32 [n] logits against float32 [n] grades in [0, 1]."""
    return F.binary_cross_entropy_with_logits(logits, grades)


def _read_texts(example: JudgedExample, recipe: RankRecipe) -> int:
    """The number of documents of a judgement that one step reads."""
    count, most = len(example.texts), recipe.negatives
    return count if most is None else min(count, 1 + most)


def _group(example: JudgedExample, recipe: RankRecipe) -> tuple[Form, int]:
    return example.form, _read_texts(example, recipe)


def _split(recipe: RankRecipe) -> tuple[Sequence[JudgedExample], Sequence[JudgedExample]]:
    """Judgements to train on and to validate on. Raises DataInvalid."""
    files = _files(recipe)

    def validates(item: JudgedExample) -> bool:
        return held_back(item.key or normal(item.query), recipe.validation)

    if recipe.stream:
        parts = lines_by_kind(files, lambda item: (validates(item), _group(item, recipe)))
        trained = Parts([lines for (out, _), lines in parts.items() if not out])
        return trained, Parts([lines for (out, _), lines in parts.items() if out])
    judged = [item for file in files for item in file.read()]
    held = [validates(item) for item in judged]
    return (
        [item for item, out in zip(judged, held, strict=True) if not out],
        [item for item, out in zip(judged, held, strict=True) if out],
    )


def _files(recipe: RankRecipe) -> list[LineFile[JudgedExample]]:
    held_out = texts_of(recipe.exclude)
    documents = (
        read_documents(recipe.corpus, held_out, stream=recipe.stream) if recipe.corpus else None
    )

    def own(item: JudgedExample) -> bool:
        return not shows(item, held_out)

    def general(item: JudgedExample) -> bool:
        return own(item) and not held_out_query(item.query)

    lists, triples = ranked_parser(Form.LISTWISE), ranked_parser(Form.PAIRWISE)
    named = ranked_parser(Form.LISTWISE, documents)
    kinds = (
        (recipe.lists, named, own),
        (recipe.triples, triples, own),
        (recipe.general_triples, triples, general),
        (recipe.general_lists, lists, general),
        (recipe.graded, graded_parser(recipe.top_grade), general),
    )
    return [LineFile(path, parse, wanted) for paths, parse, wanted in kinds for path in paths]
