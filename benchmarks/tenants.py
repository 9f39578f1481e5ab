"""Measures the ways to keep tenants apart: a filter on a declared field, a partition key, and a
collection for each tenant.

Every tenant has as many documents as the others. Vectors are random, of unit length and 128
dimensions, and the engine is measured and not the encoder. A search asks for 100 documents of one
tenant, and its recall is measured against exact search. The collections of the third way are made
for some tenants only, since each costs seconds and memory; the rate is what counts. Each way has a
server of its own, and `--ways` measures some of them.

    python -m benchmarks.tenants standalone --documents 100000 --tenants 1000 --collections 100
    python -m benchmarks.tenants embedded --documents 100000 --tenants 1000 --collections 100
"""

import argparse
import asyncio
import itertools
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from services.common.collection import PhysicalName
from services.common.documents import Content
from services.common.fields.columns import columns_of
from services.common.fields.types import FieldKind, FieldType
from services.common.filters import compile_filter
from services.common.milvus import MilvusAddress, MilvusConnection, milvus_connection
from services.common.request_context import Deadline
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.index.milvus.journal import Journal
from services.indexer.rows import Row
from services.indexer.store import ObjectStore
from services.recall.milvus.index import MilvusDocumentIndex
from tests.milvus_standalone import milvus_standalone
from tests.servers import Server, milvus_lite

DIMENSION, BATCH, QUERIES, FOUND = 128, 500, 40, 100
WAYS = ("filter", "key", "collections")
KEY = "tenant"
TYPES = {KEY: FieldType(type=FieldKind.KEYWORD)}
INDEX_SECONDS = 900.0
"""Longest wait for the vector index of a collection."""
SEEN_SECONDS = 5.0
"""Time in which written rows come into sight of searches that do not wait for them."""


class Corpus:
    """Documents of tenants, dealt out in turn."""

    def __init__(self, documents: int, tenants: int) -> None:
        chance = np.random.default_rng(1)
        vectors = chance.standard_normal((documents, DIMENSION)).astype(np.float32)
        self.vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        self.tenants = tenants

    def rows(self, tenant: int | None = None) -> Iterator[Row]:
        """The rows of one tenant, or all."""
        first, step = (0, 1) if tenant is None else (tenant, self.tenants)
        for number in range(first, len(self.vectors), step):
            fields = {KEY: name(number % self.tenants)}
            document = Content(id=f"d{number}", title=f"第{number}篇", fields=fields)
            yield Row(document, "", self.vectors[number])

    def nearest(self, query: int, tenant: int | None) -> set[str]:
        """The ids that exact search finds, of one tenant or of all."""
        first, step = (0, 1) if tenant is None else (tenant, self.tenants)
        scores = self.vectors[first::step] @ self.vectors[query]
        best = np.argsort(-scores)[:FOUND]
        return {f"d{first + step * int(at)}" for at in best}


class Bench:
    """The adapters of indexer and recall on one server."""

    def __init__(self, connection: MilvusConnection, folder: Path, corpus: Corpus) -> None:
        self._connection = connection
        self._writer = MilvusVectorIndex(connection, Journal(ObjectStore(str(folder))))
        self._reader = MilvusDocumentIndex(connection, ef=128, nprobe=32)
        self._corpus = corpus

    async def fill(
        self, physical: PhysicalName, columns: Sequence[str], tenant: int | None = None
    ) -> None:
        """Makes a collection of all documents, or of one tenant's."""
        await self._writer.create(physical, DIMENSION, 0, columns)
        source = self._corpus.rows(tenant)
        while batch := list(itertools.islice(source, BATCH)):
            await self._writer.upsert(physical, batch, 1)

    async def indexed(self, physical: PhysicalName) -> float:
        """Seals the rows and waits for the vector index, then loads the collection with it; returns
        the seconds.

        A loaded segment is searched by an interim index until a server exchanges it, which it does
        some time after it has reported the index.
        """
        started = time.perf_counter()
        await self._writer.flush(physical)
        if (await self._connection.engine()).embedded:
            return 0.0
        while time.perf_counter() - started < INDEX_SECONDS:
            if not await self._writer.unindexed(physical):
                break
            await asyncio.sleep(1)
        took = time.perf_counter() - started
        await self._writer.reload(physical)
        return took

    async def ask(self, what: str, physical: Sequence[PhysicalName], expression: str) -> None:
        """Prints time and recall of searches that an expression limits, in which `?` stands for a
        tenant; an empty one limits nothing.

        Several collections are asked in turn, and each has the documents of one tenant.
        """
        took, recall = [], []
        for at in range(QUERIES):
            several = len(physical) > 1
            tenant = at % len(physical) if several else at * 17 % self._corpus.tenants
            limit = expression.replace("?", name(tenant))
            soon, query = Deadline.after(300), at * 991 % len(self._corpus.vectors)
            held = await self._reader.of_physical(str(physical[at % len(physical)]), soon)
            index = replace(held, server_time=1)  # All was written long ago: no search waits.
            started = time.perf_counter()
            found = await self._reader.nearest(
                index, self._corpus.vectors[query], FOUND, limit, soon
            )
            took.append((time.perf_counter() - started) * 1000)
            exact = self._corpus.nearest(query, tenant if expression or several else None)
            recall.append(len(exact & {one.id for one in found}) / len(exact))
        print(
            f"{what}: least {min(took):.1f}, p50 {np.quantile(took, 0.5):.1f} ms,"
            f" recall {np.mean(recall):.3f} (load {os.getloadavg()[0]:.0f})",
            flush=True,
        )


def name(tenant: int) -> str:
    return f"租户{tenant}"


async def shared(bench: Bench, way: str, key: str | None) -> None:
    """Fills one collection with the documents of all tenants and prints its figures."""
    physical, columns = PhysicalName("tenants", "0" * 16, "1", 0), columns_of(TYPES, key)
    started = time.perf_counter()
    await bench.fill(physical, columns)
    filled = time.perf_counter() - started
    indexed = await bench.indexed(physical)
    print(f"{way}: filled in {filled:.0f} s, indexed after {indexed:.0f} s", flush=True)
    await bench.ask(f"{way}, one tenant", [physical], compile_filter({KEY: "?"}, columns))
    await bench.ask(f"{way}, all tenants", [physical], "")


async def several(bench: Bench, collections: int) -> None:
    """Fills a collection for each of some tenants and prints their figures."""
    physicals = [PhysicalName("tenants", "0" * 16, "1", tenant) for tenant in range(collections)]
    started = time.perf_counter()
    for tenant, physical in enumerate(physicals):
        await bench.fill(physical, [], tenant)
    filled = time.perf_counter() - started
    print(f"{collections} collections: filled in {filled:.0f} s", flush=True)
    await asyncio.sleep(SEEN_SECONDS)
    await bench.ask("collection of a tenant", physicals, "")


async def measured(
    way: str, server: Server, folder: Path, corpus: Corpus, collections: int
) -> None:
    """Prints the figures of one way, with the memory of its server."""
    async with milvus_connection(MilvusAddress(server.url)) as connection:
        bench = Bench(connection, folder / "storage", corpus)
        if way == "collections":
            await several(bench, collections)
        else:
            await shared(bench, way, KEY if way == "key" else None)
    print(f"{way}: {_memory()}", flush=True)


def _memory() -> str:
    """The resident memory of the server, which is the only child of this process."""
    resident = sum(one.memory_info().rss for one in psutil.Process().children())
    return f"the server holds {resident / 2**20:,.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tenants", description=__doc__)
    parser.add_argument("engine", choices=("embedded", "standalone"))
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=1_000)
    parser.add_argument("--collections", type=int, default=100)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    options = parser.parse_args()
    engine = milvus_lite if options.engine == "embedded" else milvus_standalone
    corpus = Corpus(options.documents, options.tenants)
    for way in options.ways:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            with engine(folder / "engine") as server:
                asyncio.run(measured(way, server, folder, corpus, options.collections))


if __name__ == "__main__":
    main()
