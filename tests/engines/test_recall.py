"""Both legs of recall find what exact search finds, which is computed beside them."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from services.common.collection import PhysicalName
from services.common.documents import Content
from services.common.milvus import MilvusAddress, milvus_connection
from services.common.request_context import Deadline
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.rows import Row, Vector
from services.recall.domain import Found
from services.recall.milvus.index import MilvusDocumentIndex
from tests.milvus import on_index
from tests.servers import Server, milvus_lite

DOCUMENTS, DIMENSION, DEPTH, QUERIES = 3000, 32, 1000, 5
K1, B = 1.2, 0.75
"""Milvus's parameters of BM25."""

PHYSICAL = PhysicalName("exact", "0" * 16, "1", 1)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Random vectors, and words drawn as unevenly as those of a language."""
    numbers = np.random.default_rng(7)
    vectors = numbers.standard_normal((DOCUMENTS, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths = numbers.integers(3, 60, DOCUMENTS)
    words = [[f"词{word % 4000}" for word in numbers.zipf(1.3, length)] for length in lengths]
    return [
        Row(Content(id=f"e{at}", title="题"), " ".join(words[at]), vectors[at])
        for at in range(DOCUMENTS)
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> Iterator[Server]:
    async def fill(index: MilvusVectorIndex) -> None:
        await index.create(PHYSICAL, DIMENSION, 0)
        for start in range(0, DOCUMENTS, 500):
            await index.upsert(PHYSICAL, rows[start : start + 500], 1)
        await index.point("exact", PHYSICAL)

    folder: Path = tmp_path_factory.mktemp("exact")
    with milvus_lite(folder) as started:
        on_index(started.url, fill)
        yield started


def legs(
    server: Server, vector: Vector, words: Sequence[str]
) -> tuple[Sequence[Found], Sequence[Found]]:
    async def ask() -> tuple[Sequence[Found], Sequence[Found]]:
        async with milvus_connection(MilvusAddress(server.url)) as connection:
            index, soon = MilvusDocumentIndex(connection, ef=128, nprobe=32), Deadline.after(60)
            resolved = await index.resolve("exact", soon)
            return (
                await index.nearest(resolved, vector, DEPTH, "", soon),
                await index.matching(resolved, [words], DEPTH, "", soon),
            )

    return asyncio.run(ask())


def bm25(rows: list[Row], query: Sequence[str]) -> dict[str, float]:
    """Scores above 0 by the formula of Robertson and Zaragoza (2009)."""
    documents = {row.id: row.words.split() for row in rows}
    mean = sum(map(len, documents.values())) / len(documents)
    frequency = Counter(word for words in documents.values() for word in set(words))
    scores: dict[str, float] = {}
    for identity, words in documents.items():
        counts = Counter(words)
        for word in query:
            if tf := counts[word]:
                n = frequency[word]
                idf = math.log(1 + (len(documents) - n + 0.5) / (n + 0.5))
                norm = K1 * (1 - B + B * len(words) / mean)
                scores[identity] = scores.get(identity, 0.0) + idf * tf * (K1 + 1) / (tf + norm)
    return scores


def same(found: Sequence[Found], exact: dict[str, float], tolerance: float) -> None:
    """The found ones are the best, but for equals at the border, and have the exact scores."""
    assert len({one.id for one in found}) == len(found) == min(DEPTH, len(exact))
    for one in found:
        assert one.score == pytest.approx(exact[one.id], rel=tolerance, abs=tolerance)
    worst = min(exact[one.id] for one in found)
    ids = {one.id for one in found}
    assert all(score <= worst * (1 + tolerance) for one, score in exact.items() if one not in ids)


@pytest.mark.parametrize("seed", range(QUERIES))
def test_both_legs_equal_exact_search(server: Server, rows: list[Row], seed: int) -> None:
    chance = random.Random(seed)
    vector = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    vector /= np.linalg.norm(vector)
    words = list(dict.fromkeys(chance.sample(rows, 1)[0].words.split()))[:8]
    dense, lexical = legs(server, vector, words)
    same(dense, {row.id: float(row.vector @ vector) for row in rows}, 1e-4)
    same(lexical, bm25(rows, words), 1e-3)
