"""Reading all rows in order leaves none out, wherever the engine keeps them."""

import time
from collections.abc import Iterator

import pytest

from services.common.collection import PhysicalName
from services.common.milvus import MilvusAddress
from services.common.request_context import Deadline
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.recall.milvus.index import milvus_document_index
from tests.engines.rows import DIMENSION, row
from tests.milvus import on_index
from tests.servers import Server

WRITES = [[f"{letter}{number:03d}" for number in range(100)] for letter in "abc"]
"""Ids that are written one after the other: the later ones stand behind the earlier ones."""
EVERY = [identity for ids in WRITES for identity in ids]


@pytest.fixture(scope="module")
def scattered(engine: Server) -> Iterator[PhysicalName]:
    """A collection that a server keeps in several segments: each write but the last is sealed."""
    physical = PhysicalName("scattered", "0" * 16, "1", time.time_ns())

    async def fill(index: MilvusVectorIndex) -> None:
        await index.create(physical, DIMENSION, 0)
        for number, ids in enumerate(WRITES, 1):
            if number > 1:
                await index.flush(physical)
            await index.upsert(physical, [row(one) for one in ids], number)

    on_index(engine.url, fill)
    yield physical
    on_index(engine.url, lambda index: index.drop(physical))


def test_the_indexer_reads_every_row(engine: Server, scattered: PhysicalName) -> None:
    async def read(index: MilvusVectorIndex) -> None:
        assert [found.id async for found in index.scan(scattered)] == EVERY
        assert await index.count(scattered) == len(EVERY)
        page = await index.page(scattered, "a050", 150)
        assert [found.id for found in page] == EVERY[51:201]
        last = await index.page(scattered, "b099", 150, 'id != "c000"')
        assert [found.id for found in last] == EVERY[201:]

    on_index(engine.url, read)


async def test_recall_reads_every_row(engine: Server, scattered: PhysicalName) -> None:
    soon = Deadline.after(60)
    async with milvus_document_index(MilvusAddress(engine.url), ef=64, nprobe=8) as source:
        index = await source.of_physical(str(scattered), soon)
        assert [key for key, _ in await source.keys(index, "", 1_000, soon)] == EVERY
        assert [key for key, _ in await source.keys(index, "", 150, soon)] == EVERY[:150]
        titles = await source.titles(index, "a050", 1_000, soon)
        assert [key for key, _, _ in titles] == EVERY[51:]
