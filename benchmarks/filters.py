"""Measures filters on fields without and with declared types: in the dense leg of a search, and in
a list without a query.

The same documents lie in two collections, of which one has columns for its fields. Vectors are
random, of unit length and 128 dimensions, and the engine is measured and not the encoder.

    python -m benchmarks.filters embedded 100000
    python -m benchmarks.filters standalone 100000
"""

import argparse
import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from services.common.collection import PhysicalName
from services.common.documents import Content
from services.common.fields.columns import columns_of
from services.common.fields.types import FieldKind, FieldType
from services.common.filters import compile_filter
from services.common.milvus import MilvusAddress, milvus_connection
from services.common.request_context import Deadline
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.index.milvus.journal import Journal
from services.indexer.rows import Row, Vector
from services.indexer.store import ObjectStore
from services.recall.domain import Index
from services.recall.milvus.index import MilvusDocumentIndex
from tests.milvus_standalone import milvus_standalone
from tests.servers import Server, milvus_lite

DIMENSION, BATCH, QUERIES, CANDIDATES = 128, 500, 40, 1_000
TYPES = {
    "discipline": FieldType(type=FieldKind.KEYWORD),
    "year": FieldType(type=FieldKind.NUMBER),
}
FILTERS: dict[str, Callable[[int], dict[str, Any]]] = {
    "one of 60 disciplines": lambda at: {"discipline": f"学科{at}"},
    "another discipline": lambda at: {"discipline": {"ne": f"学科{at}"}},
    "a year": lambda at: {"year": 1990 + at % 35},
    "from a year on": lambda at: {"year": {"gte": 2000 + at % 20}},
    "discipline and years": lambda at: {"discipline": f"学科{at}", "year": {"gte": 2010}},
}


def rows(count: int) -> Iterator[Row]:
    """Rows with the metadata of papers."""
    chance, vectors = random.Random(1), np.random.default_rng(1)
    for number in range(count):
        fields: dict[str, Any] = {
            "discipline": f"学科{chance.randrange(60)}",
            "year": chance.randint(1990, 2024),
            "journal": f"学报第{chance.randrange(300)}种",
            "keywords": [f"关键词{one}" for one in chance.sample(range(5_000), 4)],
            "authors": [f"作者{chance.randrange(20_000)}" for _ in range(3)],
        }
        vector = vectors.standard_normal(DIMENSION).astype(np.float32)
        document = Content(id=f"f{number}", title=f"第{number}篇", fields=fields)
        yield Row(document, "", vector / np.linalg.norm(vector))


async def measured(server: Server, folder: Path, count: int) -> None:
    """Fills both collections and prints the figures of each filter."""
    names = {
        "undeclared": (PhysicalName("filters", "0" * 16, "1", 1), []),
        "declared": (PhysicalName("filters", "0" * 16, "1", 2), columns_of(TYPES)),
    }
    async with milvus_connection(MilvusAddress(server.url)) as connection:
        writer = MilvusVectorIndex(connection, Journal(ObjectStore(str(folder / "storage"))))
        for physical, columns in names.values():
            await writer.create(physical, DIMENSION, count, columns)
            source = rows(count)
            while batch := list(itertools.islice(source, BATCH)):
                await writer.upsert(physical, batch, 1)
            await writer.flush(physical)
        await asyncio.sleep(30)  # A server builds its indexes after the flush.
        reader = MilvusDocumentIndex(connection, ef=128, nprobe=32)
        indexes = {
            name: await reader.of_physical(str(physical), _soon())
            for name, (physical, _) in names.items()
        }
        vectors = [row.vector for row in rows(QUERIES)]
        for what, condition in FILTERS.items():
            for name, index in indexes.items():
                await _both(reader, index, f"{what}, {name}", condition, vectors)


async def _both(
    reader: MilvusDocumentIndex,
    index: Index,
    what: str,
    condition: Callable[[int], dict[str, Any]],
    vectors: Sequence[Vector],
) -> None:
    filters = [compile_filter(condition(at), index.typed) for at in range(QUERIES)]

    async def search(at: int) -> object:
        return await reader.nearest(index, vectors[at], CANDIDATES, filters[at], _soon())

    async def listed(at: int) -> object:
        return await reader.keys(index, filters[at], 500_000, _soon())

    print(f"{what}: search {await _timed(search)}, list {await _timed(listed)}", flush=True)


async def _timed(call: Callable[[int], Awaitable[object]]) -> str:
    took = []
    for at in range(QUERIES):
        started = time.perf_counter()
        await call(at)
        took.append((time.perf_counter() - started) * 1000)
    return f"least {min(took):.1f}, p50 {np.quantile(took, 0.5):.1f} ms"


def _soon() -> Deadline:
    return Deadline.after(300)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filters", description=__doc__)
    parser.add_argument("engine", choices=("embedded", "standalone"))
    parser.add_argument("documents", type=int, nargs="?", default=100_000)
    options = parser.parse_args()
    engine = milvus_lite if options.engine == "embedded" else milvus_standalone
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with engine(folder / "engine") as server:
            asyncio.run(measured(server, folder, options.documents))


if __name__ == "__main__":
    main()
