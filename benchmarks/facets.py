"""Measures what counts and boosts cost a search of the recall service, on an embedded Milvus.

Documents are the sample's papers again and again, each with a title of its own and further fields:
a year, one of 200 journals, and one to four of 20,000 authors. Searches with and without counts
take turns, so that both see the same machine; the service runs in this process, so a call has all
of its JSON and no socket. Times are by the clock and of the processor in this process, which leaves
out Milvus: once the fields are in memory, counts ask it for nothing. The first time, when they are
read, stands beside that. The encoder is a tiny one, since encoding is not measured.

    python -m benchmarks.facets 10000 100000
"""

import argparse
import asyncio
import itertools
import logging
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.growth import documents as papers
from services.common.collection import PhysicalName
from services.common.documents import Document
from services.common.engine import PredictorOptions, open_encoder
from services.common.milvus import MilvusAddress, milvus_connection
from services.common.model_dir.encoders import EncoderDirectories
from services.common.text import Analyzers, WordAnalyzer
from services.common.versions import new_version
from services.indexer.index.journal import Journal
from services.indexer.index.milvus import MilvusVectorIndex
from services.indexer.rows import document_row
from services.indexer.store import ObjectStore
from services.recall.app import create_app
from services.recall.settings import RecallSettings
from tests.asgi import client_of
from tests.models import DIMENSION, tiny_encoder
from tests.servers import Server, milvus_lite

NAME = "counted"
QUERIES = 60
BATCH = 500
DEADLINE = {"x-deadline-ms": "600000"}
FACETS: list[dict[str, Any]] = [
    {"field": "discipline"},
    {"field": "keywords"},
    {"field": "authors"},
    {"field": "journal"},
    {"field": "year", "edges": [1990, 2000, 2010, 2020]},
]
BOOSTS: list[dict[str, Any]] = [
    {"field": "year", "recency": "5y"},
    {"field": "journal", "values": {"期刊007": 2.0}},
]

Call = Callable[[int], Awaitable[object]]


def documents(count: int) -> Iterator[Document]:
    """Yields papers with fields of few, many and very many different values."""
    chance = random.Random(count)
    for paper in papers(count):
        fields = {
            **paper.fields,
            "year": chance.randrange(1980, 2026),
            "journal": f"期刊{int(200 * chance.random() ** 2):03d}",
            "authors": [f"作者{chance.randrange(20_000)}" for _ in range(chance.randrange(1, 5))],
        }
        yield paper.model_copy(update={"fields": fields})


async def filled(count: int, server: Server, folder: Path) -> None:
    """Writes the documents with random vectors."""
    chance, analyzer = np.random.default_rng(count), WordAnalyzer()
    encoder = open_encoder(folder / "encoder", PredictorOptions(threads=1, precision="fp32"))
    physical = PhysicalName(NAME, encoder.manifest.fingerprint, analyzer.identity, count)
    async with milvus_connection(MilvusAddress(server.url)) as connection:
        index = MilvusVectorIndex(connection, Journal(ObjectStore(str(folder / "storage"))))
        await index.create(physical, DIMENSION, count)
        source = documents(count)
        while batch := list(itertools.islice(source, BATCH)):
            vectors = chance.standard_normal((len(batch), DIMENSION)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            rows = [
                document_row(one, vector, analyzer)
                for one, vector in zip(batch, vectors, strict=True)
            ]
            await index.upsert(physical, rows, 1)
        await index.point(NAME, physical)


class Searches:
    """The calls that the gateway makes of recall."""

    def __init__(self, http: httpx.AsyncClient, count: int) -> None:
        self._http = http
        self._version = new_version()
        step = max(1, count // QUERIES)
        self._queries = [one.title for one in itertools.islice(papers(count), 0, None, step)]

    async def plain(self, at: int) -> None:
        """A query for ten hits."""
        await self._search(at, {})

    async def boosted(self, at: int) -> None:
        """The same with boosts."""
        await self._search(at, {"boosts": BOOSTS})

    async def counted(self, at: int) -> None:
        """The same with counts over all that was found."""
        answer = await self._search(at, {"every": True})
        rows = [(identity, version) for identity, version, *_ in answer["every"]]
        body = {"index": answer["index"], "rows": rows, "facets": FACETS, "version": self._version}
        await self._post("/arrange", body)

    def listing(self, condition: Mapping[str, Any] | None, **more: Any) -> Call:
        """A list of ten documents that a filter selects."""

        async def listing(_: int) -> object:
            body = {"collection": NAME, "filter": condition, "most": 10, "version": self._version}
            return await self._post("/list", body | more)

        return listing

    async def _search(self, at: int, more: Mapping[str, Any]) -> Any:
        body = {"query": self._queries[at], "collection": NAME, "top_n": 1000, "best": 10}
        body |= {"texts": False, "documents": True, "version": self._version, **more}
        return await self._post("/search", body)

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        answer = await self._http.post(path, json=body, headers=DEADLINE)
        answer.raise_for_status()
        return answer.json()


async def measured(count: int, server: Server, folder: Path) -> None:
    """Measures one number of documents and prints its figures."""
    await filled(count, server, folder)
    directories = EncoderDirectories.read(folder / "encoder", [])
    encoder = open_encoder(folder / "encoder", PredictorOptions(threads=1, precision="fp32"))
    app = create_app(RecallSettings(milvus_uri=server.url), directories, encoder, Analyzers())
    async with client_of(app) as http:
        searches = Searches(http, count)
        await searches.plain(0)
        print(f"\n{count:,} documents, {len(FACETS)} facets", flush=True)
        print("| search | without | with | more | of the processor | first time |", flush=True)
        print("|---|---|---|---|---|---|", flush=True)
        await compared("query, counts of 2,000", searches.plain, searches.counted)
        await compared("query, boosts", searches.plain, searches.boosted)
        one = {"discipline": "食品科学与工程"}
        for what, condition in (("list by a filter", one), ("list of all", None)):
            with_counts = searches.listing(condition, facets=FACETS)
            await compared(what, searches.listing(condition), with_counts)


async def compared(what: str, without: Call, counted: Call) -> None:
    """Times two searches in turns and prints a row of the table, in milliseconds.

    Each query is asked once before that, so that the fields of its documents are in memory.
    """
    plain, more = [], []
    first = float(np.median([(await _timed(counted, at))[0] for at in range(QUERIES)]))
    for at in range(QUERIES):
        plain.append(await _timed(without, at))
        more.append(await _timed(counted, at))
    (before, spent_before), (after, spent_after) = np.median(plain, 0), np.median(more, 0)
    print(
        f"| {what} | {before:.1f} ms | {after:.1f} ms | {after - before:.1f} ms"
        f" | {spent_after - spent_before:.1f} ms | {first:.0f} ms |",
        flush=True,
    )


async def _timed(call: Call, at: int) -> tuple[float, float]:
    """Milliseconds of a call, by the clock and of the processor."""
    started, began = time.perf_counter(), time.process_time()
    await call(at)
    return (time.perf_counter() - started) * 1000, (time.process_time() - began) * 1000


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures each of the given numbers of documents."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("counts", nargs="+", type=int, metavar="COUNT", help="documents")
    logging.disable(logging.INFO)  # Paddle switches the lines of all calls on.
    for count in parser.parse_args(arguments).counts:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            tiny_encoder(folder / "encoder")
            with milvus_lite(folder) as server:
                asyncio.run(measured(count, server, folder))


if __name__ == "__main__":
    main()
