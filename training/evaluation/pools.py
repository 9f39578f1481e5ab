"""Candidates as recall gives them, without servers: what the fit of fusion and blend reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.engine import Encoder
from services.common.text import WordAnalyzer
from services.common.wire.recall import Candidate
from services.recall.domain import Found, Fusion, fuse
from training.evaluation.bm25 import Bm25
from training.evaluation.exact import DEPTH, blocks, top
from training.evaluation.legs import document_vectors
from training.evaluation.tasks import Query, Task


@dataclass(frozen=True, slots=True)
class Legs:
    """What each leg found for a query, best first."""

    query: Query
    dense: list[Found]
    lexical: list[Found]


def found_by_legs(
    task: Task, analyzer: WordAnalyzer, encoder: Encoder, cache: Path | None
) -> Iterator[Legs]:
    """The best DEPTH of each leg, by exact search and BM25."""
    corpus = task.corpus
    texts = [f"{title}\n{text}" for title, text in zip(corpus.titles, corpus.texts, strict=True)]
    words = Bm25(texts, analyzer.words)
    documents = document_vectors(corpus, encoder, cache)
    vectors = encoder.encode_queries([query.text for query in task.queries])
    for block in blocks(task.queries):
        queries = task.queries[block]
        dense = vectors[block] @ documents.T
        lexical = words.scores([query.text for query in queries])
        for at, query in enumerate(queries):
            yield Legs(query, _found(task, dense[at]), _found(task, lexical[at], above=0.0))


def candidates(legs: Legs, fusion: Fusion) -> list[Candidate]:
    """Fused as recall does it."""
    return [
        Candidate(
            id=each.document.id,
            title=each.document.title,
            text=each.document.text,
            fields={},
            dense=each.dense,
            lexical=each.lexical,
            score=each.score,
        )
        for each in fuse(legs.dense, legs.lexical, DEPTH, fusion)
    ]


def _found(task: Task, scores: NDArray[np.float32], above: float | None = None) -> list[Found]:
    corpus = task.corpus
    return [
        Found(corpus.ids[row], float(scores[row]), corpus.titles[row], corpus.texts[row], {})
        for row in top(scores[None, :], DEPTH)[0]
        if above is None or scores[row] > above
    ]
