"""Searches in one process with our own models, to show what the services cost: the bare floor, and
the way of PaddleNLP's example.

The floor is NumPy for the vectors, bm25s for the words, a weighted sum, and the ranker over the
best candidates. PaddleNLP's example encodes the query, asks Milvus for a thousand candidates, and
ranks all of them in one batch that is padded to the longest.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import bm25s
import numpy as np
from pymilvus import MilvusClient

from benchmarks.timing import TOP, reranked
from services.common.engine import PredictorOptions, open_encoder, open_ranker
from services.common.text import WordAnalyzer

ENCODER = Path("models/literature-encoder")
RANKER = Path("models/literature-ranker")
RECALLED = 1000
DENSE_WEIGHT = 0.6

Search = Callable[[str], Sequence[int]]
Documents = Sequence[tuple[str, str]]
"""Pairs of id and text, one for each document."""


def bare(documents: Documents, depth: int) -> tuple[Search, Search]:
    """Two searches: for the ten best documents, and the same with the ranker over the best
    `depth` candidates.

    Both legs score all documents exactly; each leg's scores are divided by its best one. The models
    compute in the precision that recall and rank take.
    """
    options, analyzer = PredictorOptions(precision="small"), WordAnalyzer()
    encoder, ranker = open_encoder(ENCODER, options), open_ranker(RANKER, options)
    texts = [text for _, text in documents]
    vectors = encoder.encode(texts)
    words = bm25s.BM25()
    words.index([analyzer.document_words(text) for text in texts], show_progress=False)

    def best(query: str, count: int) -> list[int]:
        dense = vectors @ encoder.encode_queries([query])[0]
        lexical = words.get_scores(analyzer.query_words(query))
        fused = DENSE_WEIGHT * _scaled(dense) + (1 - DENSE_WEIGHT) * _scaled(lexical)
        top = np.argpartition(-fused, count)[:count]
        return [int(at) for at in top[np.argsort(-fused[top])]]

    def ranked(query: str) -> list[int]:
        found = best(query, max(TOP, depth))
        scores = ranker.score(query, [texts[at] for at in found[:depth]]).reshape(-1)
        return reranked(found, scores.tolist())

    return lambda query: best(query, TOP), ranked


def paddlenlp_way(documents: Documents, milvus: str) -> tuple[Search, Search]:
    """Two searches that ask Milvus by vectors alone: for the ten best, and for the thousand best,
    which are ranked in one padded batch."""
    encoder, ranker = open_encoder(ENCODER), open_ranker(RANKER)
    texts = [text for _, text in documents]
    client = MilvusClient(milvus)
    name = "benchmark_paddlenlp_way"
    client.drop_collection(name)
    client.create_collection(name, dimension=encoder.dimension, metric_type="IP")
    rows = [
        {"id": at, "vector": vector.tolist()} for at, vector in enumerate(encoder.encode(texts))
    ]
    for start in range(0, len(rows), 1000):
        client.insert(name, rows[start : start + 1000])
    client.flush(name)

    def nearest(query: str, count: int) -> list[int]:
        vector = encoder.encode_queries([query])[0].tolist()
        return [int(hit["id"]) for hit in client.search(name, [vector], limit=count)[0]]

    def ranked(query: str) -> list[int]:
        found = nearest(query, min(RECALLED, len(texts)))
        pairs = ranker.pair_tokens(query, [texts[at] for at in found])
        scores = ranker.forward.batch(pairs).reshape(len(found), -1)[:, 0]
        return reranked(found, scores.tolist())

    return lambda query: nearest(query, TOP), ranked


def _scaled(scores: np.ndarray) -> np.ndarray:
    highest = float(scores.max())
    return scores / highest if highest > 0 else scores
