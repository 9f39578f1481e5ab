"""Exact searches of the repeated sample, and the share of them that both legs of a system find."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from math import log
from pathlib import Path

import numpy as np

from benchmarks.cold import queries
from benchmarks.repeated_sample import repeated
from services.common.engine import open_encoder
from services.common.milvus import MilvusAddress
from services.common.request_context import Deadline
from services.common.text import WordAnalyzer
from services.gateway.search.query.schemas import DEFAULT_COLLECTION
from services.indexer.rows import Vector, document_words
from services.recall.milvus.index import milvus_document_index
from xunwen.embedded.settings import EmbeddedSettings

COMPARED = 10
"""Number of queries whose legs are compared with exact search."""
DEPTH = 1000
K1, B = 1.2, 0.75
"""Milvus's parameters of BM25."""
_SECONDS = 600.0


async def recalls(settings: EmbeddedSettings, count: int, vectors: Path) -> dict[str, float]:
    """The least recall of each leg over some queries, against exact search."""
    analyzer, deadline = WordAnalyzer(), Deadline.after(_SECONDS)
    asked = list(islice(queries(), COMPARED))
    words = [analyzer.query_words(query) for query in asked]
    encoded = open_encoder(settings.encoder).encode_queries(asked)
    address = MilvusAddress(f"http://127.0.0.1:{settings.milvus_port}")
    async with milvus_document_index(address, ef=128, nprobe=32) as index:
        resolved = await index.resolve(DEFAULT_COLLECTION, deadline)
        dense = [await index.nearest(resolved, one, DEPTH, "", deadline) for one in encoded]
        lexical = [await index.matching(resolved, [one], DEPTH, "", deadline) for one in words]
    exact = {"dense": dense_scores(vectors, encoded), "lexical": lexical_scores(count, words)}
    found = {"dense": dense, "lexical": lexical}
    return {
        leg: min(
            recall(scores, [one.id for one in hits], DEPTH)
            for scores, hits in zip(exact[leg], found[leg], strict=True)
        )
        for leg in found
    }


def dense_scores(path: Path, queries: np.ndarray) -> Iterator[Vector]:
    """The inner products of each query with all vectors of a matrix."""
    matrix = np.load(path, mmap_mode="r")
    for query in queries:
        yield matrix @ query


def lexical_scores(count: int, queries: Sequence[Sequence[str]]) -> Iterator[Vector]:
    """The BM25 scores of all documents for each query, given as words, by the formula of Robertson
    and Zaragoza (2009)."""
    analyzer = WordAnalyzer()
    wanted = {word for query in queries for word in query}
    lengths = np.zeros(count)
    found: dict[str, tuple[list[int], list[int]]] = {word: ([], []) for word in wanted}
    for at, document in enumerate(repeated(count)):
        words = document_words(document, analyzer).split(" ")
        lengths[at] = len(words)
        for word, frequency in Counter(word for word in words if word in wanted).items():
            found[word][0].append(at)
            found[word][1].append(frequency)
    norms = K1 * (1 - B + B * lengths / lengths.mean())
    for query in queries:
        scores = np.zeros(count, dtype=np.float32)
        for word in query:
            places, times = (np.asarray(each, dtype=np.int64) for each in found[word])
            weight = log(1 + (count - len(places) + 0.5) / (len(places) + 0.5))
            scores[places] += weight * times * (K1 + 1) / (times + norms[places])
        yield scores


def recall(scores: Vector, found: Sequence[str], most: int, tolerance: float = 1e-3) -> float:
    """The share of the best `most` documents of positive score that were found; a document whose
    score equals that of the last of them, but for a relative tolerance, counts as one of them."""
    positive = int((scores > 0).sum())
    wanted = min(most, positive)
    worst = float(np.partition(scores, -wanted)[-wanted])
    places = [int(identity.removeprefix("g")) for identity in dict.fromkeys(found)]
    return float((scores[places] >= worst * (1 - tolerance)).sum()) / wanted
