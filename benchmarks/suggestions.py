"""Measures the cost of suggestions: memory, the time to make them, and the time of an answer.

Titles are made of the first words of one title of the sample and the last words of another, so that
all differ; each document has four keywords, most of them from the sample by frequency, the others
made of two. Typed texts are beginnings of titles and keywords, of each length up to eight: in
Chinese, as pinyin, as first letters, and as homophones.

    python -m benchmarks.suggestions 10000 100000

With `--engine` the documents lie in an embedded Milvus of its own, from which they are read.
"""

import argparse
import asyncio
import itertools
import json
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from services.common.collection import PhysicalName
from services.common.documents import Document
from services.common.milvus import MilvusAddress, milvus_connection
from services.common.request_context import Deadline
from services.common.text import Analyzers, WordAnalyzer
from services.common.wire.suggest import SuggestRequest
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.index.milvus.journal import Journal
from services.indexer.rows import document_row
from services.indexer.store import ObjectStore
from services.recall.domain import Index
from services.recall.milvus.index import MilvusDocumentIndex
from services.recall.query.analyzers import IndexAnalyzers
from services.recall.suggestions.readings import syllables
from services.recall.suggestions.suggester import Suggester, TitleSource
from tests.servers import milvus_lite

DATA = Path(__file__).parents[1] / "data"
NAME = "suggested"
DIMENSION = 8
TYPED = 4_000
KEYWORDS = 4


def documents(count: int) -> Iterator[Document]:
    """Documents whose titles are all different."""
    chance = random.Random(count)
    papers = _lines("literature_papers.jsonl")
    titles = [one["title"] for one in (*papers, *_lines("literature_titles.jsonl"))]
    words = sorted({word for one in papers for word in one["fields"].get("keywords", [])})
    for number in range(count):
        first, last = chance.choice(titles), chance.choice(titles)
        keywords = [words[int(len(words) * chance.random() ** 3)] for _ in range(KEYWORDS)]
        if chance.random() < 0.8:
            keywords[0] += chance.choice(words)
        title = first[: len(first) // 2] + last[len(last) // 2 :]
        yield Document(id=f"s{number:07d}", title=title, fields={"keywords": keywords})


def typed(count: int) -> list[str]:
    """Texts that users may type into a collection of this many documents."""
    chance = random.Random(7)
    made: list[str] = []
    for document in itertools.islice(documents(count), TYPED // 4):
        words = [document.title, *map(str, document.fields["keywords"])]  # type: ignore[arg-type]
        text = chance.choice(words)
        part = text[: chance.randrange(1, 9)]
        read = syllables(part.lower())
        made += [part, "".join(read), "".join(one[:1] for one in read) or part]
        made.append(part[:-1] + chance.choice("经网模你数具声态环镜"))
    return [one for one in made if one.strip()]


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


class _Memory:
    """Documents in the memory of this process."""

    def __init__(self, count: int) -> None:
        self._rows = [
            (one.id, one.title, {"keywords": one.fields["keywords"]}) for one in documents(count)
        ]

    async def resolve(self, collection: str, deadline: Deadline) -> Index:  # noqa: ARG002
        return Index("memory", "-", "-", lexical=True)

    async def words(self, index: Index, deadline: Deadline) -> None:
        """There is no dictionary of a user."""

    async def titles(
        self,
        index: Index,  # noqa: ARG002
        behind: str,
        most: int,
        deadline: Deadline,  # noqa: ARG002
    ) -> list[tuple[str, str, Mapping[str, Any]]]:
        first = int(behind[1:]) + 1 if behind else 0
        return list(self._rows[first : first + most])


async def measured(count: int, source: TitleSource, where: str) -> None:
    """Makes the suggestions of a collection, requests some, and prints the figures."""
    suggester, process = Suggester(source, IndexAnalyzers(Analyzers(), source)), psutil.Process()
    # The dictionaries are loaded before the time is taken.
    await suggester.suggest(_asked("预"), Deadline.after(600))
    before, began = process.memory_info().rss, process.cpu_times().user
    started = time.perf_counter()
    waits = 0
    while not (await suggester.suggest(_asked("数"), Deadline.after(600))).complete:
        waits += 1  # Each turn takes two seconds.
    seconds, processor = time.perf_counter() - started, process.cpu_times().user - began
    memory = (process.memory_info().rss - before) / (1 << 20)
    print(
        f"{count:,} documents in {where}: made in {seconds:.1f} s ({processor:.1f} s of the"
        f" processor), {memory:.0f} MB more",
        flush=True,
    )
    walls, spent = [], []
    for one in typed(count):
        started, began = time.perf_counter(), time.thread_time()
        await suggester.suggest(_asked(one), Deadline.after(60))
        walls.append((time.perf_counter() - started) * 1000)
        spent.append((time.thread_time() - began) * 1000)
    for what, times in (("", walls), (" of the processor", spent)):
        p50, p99, longest = np.percentile(times, (50, 99, 100))
        print(
            f"  {len(times):,} answers: p50 {p50:.2f} ms, p99 {p99:.2f} ms, longest {longest:.2f}"
            f" ms{what}",
            flush=True,
        )
    await suggester.aclose()


def _asked(text: str) -> SuggestRequest:
    return SuggestRequest(collection=NAME, typed=text, limit=8)


async def in_engine(count: int, url: str, folder: Path) -> None:
    """Writes the documents to an engine and measures from there."""
    analyzer = WordAnalyzer()
    physical = PhysicalName(NAME, "0" * 16, analyzer.identity, count)
    vector = np.ones(DIMENSION, dtype=np.float32) / np.sqrt(DIMENSION, dtype=np.float32)
    async with milvus_connection(MilvusAddress(url)) as connection:
        index = MilvusVectorIndex(connection, Journal(ObjectStore(str(folder / "storage"))))
        await index.create(physical, DIMENSION, count)
        source = documents(count)
        while batch := list(itertools.islice(source, 500)):
            await index.upsert(physical, [document_row(one, vector, analyzer) for one in batch], 1)
        await index.point(NAME, physical)
        await measured(count, MilvusDocumentIndex(connection, ef=128, nprobe=32), "the engine")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures each of the given numbers of documents."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("counts", nargs="+", type=int, metavar="COUNT", help="documents")
    parser.add_argument("--engine", action="store_true", help="read them from an embedded Milvus")
    options = parser.parse_args(arguments)
    for count in options.counts:
        if not options.engine:
            asyncio.run(measured(count, _Memory(count), "memory"))
            continue
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            with milvus_lite(folder) as server:
                asyncio.run(in_engine(count, server.url, folder))


if __name__ == "__main__":
    main()
