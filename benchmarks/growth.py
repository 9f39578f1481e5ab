"""Measures how the embedded engine by itself slows down as documents or passages are added: each
leg, a single write, a restart, memory. `benchmarks.grown_system` measures the whole system.

Documents are the sample's papers again and again: title and abstract, with ` (n)` after the title
of the n-th round. Vectors are random, of unit length and 384 dimensions, since the index is
measured and not the encoder. Queries are titles of the sample, each used once.

With `--passages` each document has a body, too, of about so many passages.

    python -m benchmarks.growth 10000 100000
    python -m benchmarks.growth 10000 --passages 30
"""

import argparse
import asyncio
import itertools
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from services.common.collection import PhysicalName
from services.common.documents import Document
from services.common.milvus import MilvusAddress, milvus_connection
from services.common.request_context import Deadline
from services.common.text import WordAnalyzer
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.index.milvus.journal import Journal
from services.indexer.passages import cut
from services.indexer.rows import Row, Vector, document_words
from services.indexer.store import ObjectStore
from services.recall.domain import Found, Index
from services.recall.milvus.index import MilvusDocumentIndex
from tests.servers import Server, milvus_lite

PAPERS = Path(__file__).parents[1] / "data" / "literature_papers.jsonl"
DIMENSION = 384
BATCH = 500
QUERIES = 60
CANDIDATES = 1000
PASSAGE_CHARS = 150
"""Characters of a paragraph of a body, which is about a passage."""


def documents(count: int, passages: int = 0) -> Iterator[Document]:
    """Yields the sample's papers again and again, each with a title and an id of its own."""
    papers = [json.loads(line) for line in PAPERS.read_text("utf-8").splitlines()]
    for number in range(count):
        turn, paper = divmod(number, len(papers))
        fields = papers[paper].get("fields", {})
        title = f"{papers[paper]['title']} ({turn})" if turn else papers[paper]["title"]
        others = itertools.islice(itertools.cycle(papers), paper, paper + passages)
        body = "\n".join(one["text"][:PASSAGE_CHARS] for one in others)
        text = papers[paper]["text"]
        yield Document(id=f"g{number}", title=title, text=text, body=body, fields=fields)


async def measured(count: int, passages: int, server: Server, folder: Path) -> None:
    """Measures one number of documents and prints its figures."""
    random, analyzer = np.random.default_rng(count), WordAnalyzer()
    physical = PhysicalName("grown", "0" * 16, analyzer.identity, count)

    def unit() -> Vector:
        vector = random.standard_normal(DIMENSION).astype(np.float32)
        return vector / np.linalg.norm(vector)

    async with milvus_connection(MilvusAddress(server.url)) as connection:
        index = MilvusVectorIndex(connection, Journal(ObjectStore(str(folder / "storage"))))
        await index.create(physical, DIMENSION, count)
        spent, parts = 0.0, 0
        source = documents(count, passages)
        while batch := list(itertools.islice(source, BATCH // (1 + passages) + 1)):
            rows = [row(one, unit, analyzer) for one in batch]
            parts += sum(len(one.passages or ()) for one in rows)
            started = time.perf_counter()
            await index.upsert(physical, rows, 1)
            spent += time.perf_counter() - started
        await index.point("grown", physical)
        written = (count + parts) / spent
        print(f"\n{count:,} documents, {parts:,} passages: {written:,.0f} rows/s written")

    server.kill()
    started = time.perf_counter()
    server.start()
    async with milvus_connection(MilvusAddress(server.url)) as connection:
        found = MilvusDocumentIndex(connection, ef=128, nprobe=32)
        resolved = await _until_resolved(found)
        await found.nearest(resolved, unit(), CANDIDATES, "", _soon())
        print(f"restart after kill -9 to the first search: {time.perf_counter() - started:.1f} s")
        resolved = replace(resolved, version="unchanged")  # Searches between writes name a version.
        queries = [one.title for one in itertools.islice(documents(QUERIES * 40), 0, None, 40)]
        vectors = [unit() for _ in queries]
        words = [analyzer.query_words(query) for query in queries]

        async def dense(at: int) -> Sequence[Found]:
            return await found.nearest(resolved, vectors[at], CANDIDATES, "", _soon())

        async def lexical(at: int) -> Sequence[Found]:
            return await found.matching(resolved, [words[at]], CANDIDATES, "", _soon())

        async def both(at: int) -> None:
            await asyncio.gather(dense(at), lexical(at))

        async def with_texts(at: int) -> None:
            await found.with_texts(resolved, await dense(at), _soon())

        await _timed("dense leg, 1,000 ids", dense)
        await _timed("lexical leg, 1,000 ids", lexical)
        await _timed("both legs at once", both)
        await _timed("dense leg and texts, cache filling", with_texts)
        await _timed("dense leg and texts, cached", with_texts)
        index = MilvusVectorIndex(connection, Journal(ObjectStore(str(folder / "storage"))))
        new = [row(one, unit, analyzer) for one in documents(QUERIES, passages)]

        async def replaced(at: int) -> None:
            await index.upsert(physical, [new[at]], 2)

        await _timed("one document replaced", replaced, 20)
    process = next(
        one for one in psutil.process_iter(["cmdline"]) if str(server.port) in _command(one)
    )
    memory = process.memory_info().rss / 1e6
    print(f"resident memory {memory:,.0f} MB, on disk {_stored(folder):,.0f} MB")


def row(document: Document, unit: Callable[[], Vector], analyzer: WordAnalyzer) -> Row:
    """The row of a document with its passages, with random vectors."""
    parts = cut(document, analyzer)
    passages = parts.encoded([unit() for _ in parts.spans])
    return Row(document, document_words(document, analyzer), unit(), passages=passages)


async def _timed(what: str, call: Callable[[int], Awaitable[object]], count: int = QUERIES) -> None:
    took = []
    for at in range(count):
        started = time.perf_counter()
        await call(at)
        took.append((time.perf_counter() - started) * 1000)
    print(
        f"{what}: p50 {np.quantile(took, 0.5):.1f} ms, p99 {np.quantile(took, 0.99):.1f} ms,"
        f" least {min(took):.1f} ms",
        flush=True,
    )


def _stored(folder: Path) -> float:
    """Megabytes of all files."""
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) / 1e6


async def _until_resolved(index: MilvusDocumentIndex) -> Index:
    while True:
        try:
            return await index.resolve("grown", _soon())
        except Exception:  # noqa: BLE001 - a server that starts fails in many ways
            await asyncio.sleep(0.1)


def _command(process: psutil.Process) -> str:
    return " ".join(process.info["cmdline"] or [])


def _soon() -> Deadline:
    return Deadline.after(300)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("sizes", nargs="+", type=int, metavar="DOCUMENTS")
    parser.add_argument("--passages", type=int, default=0, help="of each document")
    options = parser.parse_args()
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder, milvus_lite(Path(folder)) as server:
            asyncio.run(measured(size, options.passages, server, Path(folder)))


if __name__ == "__main__":
    main()
