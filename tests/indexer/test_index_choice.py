"""Which index a collection's vectors get, and that Milvus makes it so."""

import time

import numpy as np
import pytest

from services.common.collection import Field, PhysicalName
from services.common.documents import Content
from services.indexer.index.milvus.choice import IndexChoice, IndexKind
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.rows import Row
from tests.indexer.installation import Installation
from tests.milvus import on_index, plain_client

GRAPH = {"M": 16, "efConstruction": 200}


@pytest.mark.parametrize(
    ("documents", "embedded", "expected"),
    [
        (0, True, (IndexKind.FLAT, {})),
        (30_000_000, True, (IndexKind.FLAT, {})),
        (0, False, (IndexKind.HNSW, GRAPH)),
        (10_000_000, False, (IndexKind.HNSW, GRAPH)),
        (100_000_000, False, (IndexKind.IVF_SQ8, {"nlist": 40_000})),
        (1_000_000_000, False, (IndexKind.IVF_SQ8, {"nlist": 65_536})),
    ],
)
def test_it_follows_the_size(
    documents: int, embedded: bool, expected: tuple[IndexKind, dict[str, int]]
) -> None:
    assert IndexChoice().of(documents, embedded=embedded) == expected


def test_what_is_set_is_taken() -> None:
    chosen = IndexChoice(IndexKind.HNSW_SQ, m=32, ef_construction=400)
    graph = {"M": 32, "efConstruction": 400, "sq_type": "SQ8"}
    assert chosen.of(0, embedded=True) == (IndexKind.HNSW_SQ, graph)
    assert IndexChoice(IndexKind.IVF_FLAT, lists=64).of(0, embedded=False)[1] == {"nlist": 64}
    assert IndexChoice(IndexKind.IVF_FLAT).of(0, embedded=False)[1] == {"nlist": 128}
    assert IndexChoice(IndexKind.DISKANN).of(10**9, embedded=False) == (IndexKind.DISKANN, {})


def test_milvus_makes_the_chosen_index(indexer: Installation) -> None:
    physical = PhysicalName("chosen", "0" * 16, "1", time.time_ns())

    async def make(index: MilvusVectorIndex) -> int:
        await index.create(physical, 8, 0)
        vectors = np.eye(8, dtype=np.float32)
        rows = [
            Row(Content(id=f"r{n}", title="题"), "题", vector) for n, vector in enumerate(vectors)
        ]
        await index.upsert(physical, rows, 1)
        await index.flush(physical)
        return await index.count(physical)

    url = indexer.milvus.url
    assert on_index(url, make, IndexChoice(IndexKind.IVF_FLAT, lists=200)) == 8
    client = plain_client(url)
    about = client.describe_index(str(physical), Field.VECTOR)
    client.drop_collection(str(physical))
    client.close()
    assert about["index_type"] == "IVF_FLAT"
