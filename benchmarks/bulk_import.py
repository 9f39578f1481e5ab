"""Measures Milvus's bulk import beside what the indexer does: Milvus 2.3.5, documents with vectors.

    python -m benchmarks.bulk_import 20000
    python -m benchmarks.bulk_import 20000 --ways upsert bulk

Documents are the sample's papers again and again; vectors are random, of unit length and 384
dimensions. The same rows are upserted as the writer does it, inserted, and imported from Parquet
files in the server's own storage; each way ends when all rows are counted in sealed segments. Then
the nearest rows of 50 vectors are compared. `benchmarks.vector_job` measures the whole job of which
the upserts are a part.

Processor seconds are those of the server and of this process; they mean more than the clock on a
machine that others use too.
"""

import argparse
import asyncio
import itertools
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.growth import DIMENSION, documents
from benchmarks.stopwatch import Stopwatch
from services.common.collection import PhysicalName
from services.common.milvus import MilvusAddress, MilvusConnection, milvus_connection
from services.common.text import WordAnalyzer
from services.indexer.index.imports.bulk_import import BulkImport
from services.indexer.index.imports.tables import row_table
from services.indexer.index.milvus.entities import entity
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.index.milvus.journal import Journal
from services.indexer.index.writer import SLICE_ROWS
from services.indexer.rows import Row, document_row
from services.indexer.store import ObjectStore
from tests.milvus_standalone import milvus_standalone
from tests.servers import Server

IMPORTED_ROWS = 20_000
"""Most rows of one imported file, as many as `xunwen extract` writes into a shard."""
WAYS = ("upsert", "insert", "bulk")
QUERIES, DEPTH, VISITED, VERSION, CUT = 50, 10, 1_000, 7, 2_000
_WAIT_SECONDS = 900.0

Entities = Sequence[dict[str, Any]]
Columns = dict[str, Any]
"""Descriptions of a collection's columns by name."""


def rows(count: int) -> Iterator[Row]:
    """Rows without words, for which Milvus 2.3.5 has no column."""
    random = np.random.default_rng(1)
    for document in documents(count):
        vector = random.standard_normal(DIMENSION).astype(np.float32)
        yield Row(document, "", vector / np.linalg.norm(vector))


def cut_words() -> None:
    """Measures the worker's part for documents that bring their vectors: their words."""
    analyzer = WordAnalyzer()
    few = [*rows(CUT)]
    watch = Stopwatch.of([psutil.Process()])
    for row in few:
        document_row(row.document, row.vector, analyzer)
    print(f"words, as the worker cuts them: {watch.rate(CUT)}", flush=True)


class Measured:
    """The ways of filling a collection of one server with the same rows."""

    def __init__(self, connection: MilvusConnection, folder: Path, count: int) -> None:
        self.index = MilvusVectorIndex(connection, Journal(ObjectStore(str(folder / "storage"))))
        self.storage = folder / "engine" / "data"
        self.connection = connection
        self.count = count
        self.answers: dict[str, list[list[str]]] = {}
        me = psutil.Process()
        self.processes = [me, *me.children(recursive=True)]

    async def made(self, generation: int) -> tuple[PhysicalName, Columns]:
        """An empty collection, and its columns."""
        physical = PhysicalName("imports", "0" * 16, "1", generation)
        await self.index.create(physical, DIMENSION, self.count)
        described = await self.connection.ask(
            "describe", lambda client: client.describe_collection(str(physical)), 30
        )
        return physical, {one["name"]: one for one in described["fields"]}

    async def ended(self, way: str, physical: PhysicalName, watch: Stopwatch) -> None:
        """Prints a way's figures once all rows can be searched in sealed segments."""
        print(f"{way}, rows accepted: {watch.rate(self.count)}", flush=True)
        await self.index.flush(physical)
        give_up = time.monotonic() + _WAIT_SECONDS
        while (found := await self.index.count(physical)) != self.count:
            if time.monotonic() > give_up:
                raise SystemExit(f"{found:,} rows after {way}, {self.count:,} were given")
            await asyncio.sleep(0.2)
        while not await self._indexed(physical):  # noqa: ASYNC110 - another server's state
            await asyncio.sleep(0.5)
        print(f"{way}, sealed and indexed: {watch.rate(self.count)}", flush=True)
        vectors = [row.vector for row in rows(QUERIES)]
        # HNSW visits as many rows as are asked for, and random vectors need many.
        nearest = await self.index.nearest(physical, vectors, VISITED)
        self.answers[way] = [ids[:DEPTH] for ids in nearest]

    async def _indexed(self, physical: PhysicalName) -> bool:
        described = await self.connection.ask(
            "describe", lambda client: client.describe_index(str(physical), "vector"), 30
        )
        return int(described["pending_index_rows"]) == 0

    async def upserted(self) -> None:
        """As the writer does it: slice by slice, each found by its id before it is replaced."""
        physical, _ = await self.made(1)
        source = rows(self.count)
        batches = iter(lambda: list(itertools.islice(source, SLICE_ROWS)), [])
        prepared = list(batches)
        watch = Stopwatch.of(self.processes)
        for batch in prepared:
            await self.index.upsert(physical, batch, VERSION)
        await self.ended("upsert", physical, watch)

    async def inserted(self) -> None:
        """Milvus's insert, which looks for no ids, in the same slices."""
        physical, columns = await self.made(2)
        prepared = [entity(row, VERSION, columns) for row in rows(self.count)]
        watch = Stopwatch.of(self.processes)
        for start in range(0, self.count, SLICE_ROWS):
            await self._insert(physical, prepared[start : start + SLICE_ROWS])
        await self.ended("insert", physical, watch)

    async def _insert(self, physical: PhysicalName, batch: Entities) -> None:
        await self.connection.ask(
            "write", lambda client: client.insert(str(physical), list(batch)), 30
        )

    async def bulk(self) -> None:
        """Bulk import of Parquet files, their writing included."""
        physical, columns = await self.made(3)
        prepared = [*rows(self.count)]
        folder = self.storage / "imports"
        folder.mkdir()
        watch = Stopwatch.of(self.processes)
        files = []
        for start in range(0, self.count, IMPORTED_ROWS):
            file = folder / f"rows-{start}.parquet"
            file.write_bytes(
                row_table(prepared[start : start + IMPORTED_ROWS], VERSION, [*columns])
            )
            files.append(str(file))
        print(f"bulk import, files written: {watch.rate(self.count)}", flush=True)
        bulk = BulkImport(self.connection)
        for number in [await bulk.start(str(physical), file) for file in files]:
            while not await bulk.completed(number):  # noqa: ASYNC110 - another server's state
                await asyncio.sleep(0.2)
        await self.ended("bulk import", physical, watch)


async def measured(server: Server, folder: Path, count: int, wanted: Sequence[str]) -> None:
    """Fills a collection of the server in each of the ways, and prints their figures."""
    cut_words()
    async with milvus_connection(MilvusAddress(server.url)) as connection:
        ways = Measured(connection, folder, count)
        await ways.index.recover()
        steps = {"upsert": ways.upserted, "insert": ways.inserted, "bulk": ways.bulk}
        for name in wanted:
            await steps[name]()
    first, *others = ways.answers.values()
    for other in others:
        same = sum(map(list.__eq__, first, other))
        print(f"{same} of {QUERIES} queries have the same {DEPTH} ids in the same order")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk_import", description=__doc__)
    parser.add_argument("documents", type=int, nargs="?", default=20_000)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xunwen-import-") as name:
        folder = Path(name)
        with milvus_standalone(folder / "engine") as server:
            asyncio.run(measured(server, folder, options.documents, options.ways))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
