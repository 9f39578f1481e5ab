"""After a start of the embedded engine recall is ready when its collections are in memory."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from services.common.collection import PhysicalName, passages_name
from services.common.documents import Content
from services.common.errors import IndexUnavailable
from services.common.milvus import MilvusAddress
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.passages import cut
from services.indexer.rows import Row
from services.recall.milvus.index import milvus_document_index
from tests.analyzers import ANALYZER
from tests.milvus import on_index, plain_client
from tests.servers import milvus_lite

DIMENSION = 8
NAMED, NAMELESS = (PhysicalName(name, "0" * 16, "1", 1) for name in ("named", "nameless"))
VECTOR = np.eye(1, DIMENSION, dtype=np.float32)[0]


async def fill(index: MilvusVectorIndex) -> None:
    """Two collections of a document with passages, one of them with a name."""
    document = Content(id="a", title="题", body="正文的第一句。")
    parts = cut(document, ANALYZER)
    passages = parts.encoded([VECTOR for _ in parts.spans])
    for physical in (NAMED, NAMELESS):
        await index.create(physical, DIMENSION, 1)
        await index.upsert(physical, [Row(document, "题", VECTOR, passages=passages)], 1)
    await index.point("named", NAMED)


async def until_ready(url: str) -> list[str]:
    """Waits until recall's check passes; returns what it said before."""
    said = []
    async with milvus_document_index(MilvusAddress(url), ef=128, nprobe=32) as index:
        async with asyncio.timeout(60):
            while True:
                try:
                    await index.check()
                except IndexUnavailable as error:
                    said.append(error.detail)
                    await asyncio.sleep(0.01)
                else:
                    return said


@pytest.mark.parametrize("crash", [False, True])
def test_the_collections_with_a_name_are_loaded_before_recall_is_ready(
    tmp_path: Path, crash: bool
) -> None:
    with milvus_lite(tmp_path) as server:
        on_index(server.url, fill)
        if crash:
            server.kill()
        else:
            server.stop()
        server.start()
        said = asyncio.run(until_ready(server.url))
        client = plain_client(server.url)
        states = {
            name: client.get_load_state(str(name))["state"].name
            for name in (NAMED, passages_name(NAMED), NAMELESS)
        }
        client.close()
    assert set(said) == {"The index is being loaded into memory."}
    assert states == {NAMED: "Loaded", passages_name(NAMED): "Loaded", NAMELESS: "NotLoad"}
