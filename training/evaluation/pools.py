"""Computes the results of the legs and of their fusion without servers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.blend import FittedWeights
from services.common.engine import Encoder
from services.common.text import WordAnalyzer
from services.common.wire.rank import RankCandidate
from services.recall.domain import Found
from services.recall.legs.fusion import Fusion, fuse
from services.recall.legs.query_fusion import QueryFusion
from training.data.blocks import blocks
from training.evaluation.bm25 import Bm25
from training.evaluation.exact import DEPTH, top
from training.evaluation.tasks import Corpus, Query, Task
from training.evaluation.vectors import document_vectors


@dataclass(frozen=True, slots=True)
class Legs:
    """The documents that each leg found for a query, best first."""

    query: Query
    dense: list[Found]
    lexical: list[Found]


def found_by_legs(
    task: Task, analyzer: WordAnalyzer, encoder: Encoder, cache: Path | None
) -> Iterator[Legs]:
    """Yields the best DEPTH documents of each leg for each query, by exact search and BM25."""
    words = _index(task.corpus, analyzer)
    documents = document_vectors(task.corpus, encoder, cache)
    vectors = encoder.encode_queries([query.text for query in task.queries])
    for block in blocks(len(task.queries), len(task.corpus)):
        queries = task.queries[block]
        dense = vectors[block] @ documents.T
        lexical = words.scores([query.text for query in queries])
        for at, query in enumerate(queries):
            yield Legs(query, _found(task, dense[at]), _found(task, lexical[at], above=0.0))


def found_by_words(task: Task, analyzer: WordAnalyzer) -> Iterator[tuple[Query, list[Found]]]:
    """The best DEPTH documents of each query by BM25 alone."""
    words = _index(task.corpus, analyzer)
    for block in blocks(len(task.queries), len(task.corpus)):
        queries = task.queries[block]
        scores = words.scores([query.text for query in queries])
        for query, line in zip(queries, scores, strict=True):
            yield query, _found(task, line, above=0.0)


FusionOf = Callable[[Legs], Fusion]
"""Gives the fusion of a query from the documents of its legs."""


def constant_fusion(dense_weight: float) -> FusionOf:
    """A fusion with the same share of the dense leg for every query."""
    return lambda _: Fusion(dense_weight=dense_weight)


def fused_by(weights: FittedWeights, analyzer: WordAnalyzer) -> FusionOf:
    """The fusion that recall makes with fitted weights."""
    if not weights.fusion:
        return constant_fusion(weights.dense_weight)
    model = QueryFusion.of(weights)
    return lambda legs: Fusion(
        dense_weight=model.dense_weight(legs.query.text, legs.dense, legs.lexical, analyzer)
    )


def candidates(legs: Legs, fusion: Fusion) -> list[RankCandidate]:
    """The candidates of a query, fused as recall fuses them."""
    return [
        RankCandidate(
            id=each.document.id,
            title=each.document.title,
            text=each.document.text,
            dense=each.dense,
            lexical=each.lexical,
            score=each.score,
        )
        for each in fuse(legs.dense, legs.lexical, DEPTH, fusion)
    ]


def _index(corpus: Corpus, analyzer: WordAnalyzer) -> Bm25:
    texts = [f"{title}\n{text}" for title, text in zip(corpus.titles, corpus.texts, strict=True)]
    return Bm25(texts, analyzer.document_words, analyzer.query_words)


def _found(task: Task, scores: NDArray[np.float32], above: float | None = None) -> list[Found]:
    corpus = task.corpus
    return [
        Found(corpus.ids[row], float(scores[row]), corpus.titles[row], corpus.texts[row])
        for row in top(scores[None, :], DEPTH)[0]
        if above is None or scores[row] > above
    ]
