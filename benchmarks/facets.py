"""Measures what counts and boosts cost a search, from the gateway to an embedded Milvus and back.

Documents are the sample's papers again and again, each with a title of its own and further fields:
a year, one of 200 journals, and one to four of 20,000 authors. Searches with and without counts
take turns, so that both see the same machine. The gateway's links from `Arranging` on and the
recall service run in this process, so that a search has all of its JSON and no socket; without
ranking, which counts do not touch. Times are by the clock and of the processor in this process,
which leaves out Milvus: once the fields are in memory, counts ask it for nothing. The first time,
when they are read, stands beside that. The encoder is a tiny one, since encoding is not measured.

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
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from redis.asyncio import Redis

from benchmarks.growth import documents as papers
from services.common.calls.client import ServiceClient
from services.common.collection import PhysicalName
from services.common.documents import Document
from services.common.engine import PredictorOptions, open_encoder
from services.common.milvus import MilvusAddress, milvus_connection
from services.common.model_dir.encoders import EncoderDirectories
from services.common.request_context import Deadline
from services.common.text import Analyzers, WordAnalyzer
from services.common.versions import new_version
from services.gateway.cache.levels import AnswerCache
from services.gateway.cache.local import LocalCache
from services.gateway.cache.policy import Lifetimes
from services.gateway.cache.redis import RedisCache
from services.gateway.search import render
from services.gateway.search.answers import Ask, Asker
from services.gateway.search.cascade.cascade import Cascade
from services.gateway.search.cascade.rank_service import RankService
from services.gateway.search.cascade.recall_service import RecallService
from services.gateway.search.links.arranging import Arranging
from services.gateway.search.links.walks import Walks
from services.gateway.search.query.request import search_of
from services.gateway.search.query.schemas import SearchOptions
from services.gateway.search.query.search import Arrangement, Search
from services.gateway.stores.redis_client import GuardedRedis
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.index.milvus.journal import Journal
from services.indexer.rows import document_row
from services.indexer.store import ObjectStore
from services.recall.app import create_app
from services.recall.settings import RecallSettings
from tests.asgi import transport_of
from tests.models import DIMENSION, tiny_encoder
from tests.servers import Server, milvus_lite

NAME = "counted"
QUERIES = 60
BATCH = 500
MIB = 1 << 20
MOST_SECONDS = 60
LEAST_TURNS = 8
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

Call = Callable[[int], Awaitable[None]]


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
    """The searches of users, through the links of the gateway that counts concern."""

    def __init__(self, recall: ServiceClient, count: int) -> None:
        service = RecallService(recall)
        cascade = Cascade(service, RankService(recall), recall_share=1.0)
        # No search has pages, so this Redis is never connected to.
        cache = RedisCache(GuardedRedis(Redis(), "cache"))
        levels = AnswerCache(LocalCache(MIB, lambda: None), cache, Lifetimes(1, 1, 1))
        self._link = Arranging(cascade, service, Walks(levels, 1))
        self._version = new_version()
        step = max(1, count // QUERIES)
        self._queries = [one.title for one in itertools.islice(papers(count), 0, None, step)]

    def query(self, **more: Any) -> Call:
        """Queries for ten hits."""
        made = [search_of(one, _options(**more)) for one in self._queries]

        async def query(at: int) -> None:
            await self._answer(made[at])

        return query

    def listing(self, condition: Mapping[str, Any] | None, *, counted: bool) -> Call:
        """A list of ten documents."""
        made = search_of(None, _options(filter=condition, facets=FACETS))
        if not counted:
            made = replace(made, arrangement=Arrangement())

        async def listing(_: int) -> None:
            await self._answer(made)

        return listing

    async def _answer(self, search: Search) -> None:
        ask = Ask(search, Deadline.after(600), Asker("-", "-"), version=self._version)
        answered = await self._link.answer(ask)
        counted = bool(search.arrangement and search.arrangement.facets)
        if answered.degraded or counted != (b'"facets":' in answered.content):
            raise RuntimeError(f"The answer is not what is measured: {answered.degraded}")
        render.answer(ask, answered)


def _options(**members: Any) -> SearchOptions:
    return SearchOptions.model_validate({"collection": NAME, "rank": False, **members})


async def measured(count: int, server: Server, folder: Path) -> None:
    """Measures one number of documents and prints its figures."""
    await filled(count, server, folder)
    directories = EncoderDirectories.read(folder / "encoder", [])
    encoder = open_encoder(folder / "encoder", PredictorOptions(threads=1, precision="fp32"))
    app = create_app(RecallSettings(milvus_uri=server.url), directories, encoder, Analyzers())
    async with (
        transport_of(app) as transport,
        ServiceClient("recall", "http://recall", timeout=600, transport=transport) as recall,
    ):
        searches = Searches(recall, count)
        await searches.query()(0)
        print(f"\n{count:,} documents, {len(FACETS)} facets", flush=True)
        print("| search | turns | without | with | more | of the processor | first time |")
        print("|---|---|---|---|---|---|---|", flush=True)
        plain = searches.query()
        await compared("query, counts of 2,000", plain, searches.query(facets=FACETS), QUERIES)
        await compared("query, boosts", plain, searches.query(boosts=BOOSTS), QUERIES)
        one = {"discipline": "食品科学与工程"}
        for what, condition in (("list by a filter", one), ("list of all", None)):
            plain = searches.listing(condition, counted=False)
            await compared(what, plain, searches.listing(condition, counted=True), 1)


async def compared(what: str, without: Call, counted: Call, different: int) -> None:
    """Times two searches in turns and prints a row of the table, in milliseconds.

    Each of the `different` searches is made once before that, so that the fields of its documents
    are in memory. There are as many turns as MOST_SECONDS allow, from LEAST_TURNS to QUERIES.
    """
    plain, more = [], []
    first = float(np.median([(await _timed(counted, at))[0] for at in range(different)]))
    ends = time.monotonic() + MOST_SECONDS
    for at in range(QUERIES):
        plain.append(await _timed(without, at))
        more.append(await _timed(counted, at))
        if at + 1 >= LEAST_TURNS and time.monotonic() > ends:
            break
    (before, spent_before), (after, spent_after) = np.median(plain, 0), np.median(more, 0)
    print(
        f"| {what} | {len(more)} | {before:.1f} ms | {after:.1f} ms | {after - before:.1f} ms"
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
