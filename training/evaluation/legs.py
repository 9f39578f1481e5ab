"""The legs of the offline table: exact dense search, BM25 over words, and their fusions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.engine import Encoder
from services.common.text import WordAnalyzer
from services.recall.domain import DENSE_WEIGHT
from training.evaluation import fuse
from training.evaluation.bm25 import Bm25
from training.evaluation.exact import DEPTH, blocks, top
from training.evaluation.metrics import Qrels
from training.evaluation.tasks import Corpus, Task

LEXICAL = "BM25"
DENSE = "dense"
HYBRID = "hybrid"
HYBRID_RRF = "hybrid (RRF)"

Rankings = dict[str, dict[str, list[str]]]
"""Leg -> query id -> document ids, best first."""


def qrels_of(task: Task) -> Qrels:
    ids = task.corpus.ids
    return {query.id: {ids[row]: 1 for row in query.relevant} for query in task.queries}


def rank_with_words(task: Task, analyzer: WordAnalyzer) -> Rankings:
    """BM25 alone."""
    index = _index(task.corpus, analyzer)
    return _collect(task, lambda block: {LEXICAL: index.scores(_texts(task, block))})


def rank_with_legs(
    task: Task,
    analyzer: WordAnalyzer,
    encoder: Encoder,
    *,
    cache: Path | None,
    dense_weight: float = DENSE_WEIGHT,
) -> Rankings:
    """BM25, dense, and both fusions of the two."""
    index = _index(task.corpus, analyzer)
    documents = document_vectors(task.corpus, encoder, cache)
    queries = encoder.encode_queries([query.text for query in task.queries])

    def legs(block: slice) -> dict[str, fuse.Scores]:
        lexical = index.scores(_texts(task, block))
        dense = queries[block] @ documents.T
        return {
            LEXICAL: lexical,
            DENSE: dense,
            HYBRID: fuse.weighted(dense, lexical, dense_weight),
            HYBRID_RRF: fuse.reciprocal_rank(dense, lexical),
        }

    return _collect(task, legs)


def document_vectors(corpus: Corpus, encoder: Encoder, cache: Path | None) -> NDArray[np.float32]:
    """float32 [documents, dimension], kept in `cache` per program and content."""
    rendered = [
        encoder.manifest.document_text(title, text)
        for title, text in zip(corpus.titles, corpus.texts, strict=True)
    ]
    if cache is None:
        return encoder.encode(rendered)
    path = cache / f"{_program(encoder)}-{corpus.digest}.npy"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, encoder.encode(rendered))
        partial.replace(path)
    vectors: NDArray[np.float32] = np.load(path)
    return vectors


def _program(encoder: Encoder) -> str:
    """Names what made the vectors; int8 programs of one fingerprint may differ."""
    int8 = encoder.manifest.files.int8
    name = f"{encoder.manifest.fingerprint}-{encoder.precision}"
    return f"{name}-{int8.sha256[:16]}" if encoder.precision == "int8" and int8 else name


def _index(corpus: Corpus, analyzer: WordAnalyzer) -> Bm25:
    texts = [f"{title}\n{text}" for title, text in zip(corpus.titles, corpus.texts, strict=True)]
    return Bm25(texts, analyzer.words)


def _texts(task: Task, block: slice) -> list[str]:
    return [query.text for query in task.queries[block]]


def _collect(task: Task, legs: Callable[[slice], dict[str, fuse.Scores]]) -> Rankings:
    rankings: Rankings = {}
    for block in blocks(task.queries):
        for leg, scores in legs(block).items():
            found = rankings.setdefault(leg, {})
            best = top(scores, DEPTH)
            for query, line, rows in zip(task.queries[block], scores, best, strict=True):
                # A document that shares no word was not found by words.
                kept = rows[line[rows] > 0] if leg == LEXICAL else rows
                found[query.id] = [task.corpus.ids[row] for row in kept]
    return rankings
