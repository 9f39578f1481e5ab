"""Measures the embedded system at growing numbers of documents: a bulk job, a restart, searches and
their stages, single writes, memory, and recall of both legs against exact search.

The documents are those of benchmarks/repeated_sample.py, with ready-made vectors, so that the job
measures the index and not the encoder. Searches are natural queries of the development set, none
asked twice. Each size has a system of its own in a folder of its own; with `--home` the folders
stay, and a further run measures the filled systems again.

    python -m benchmarks.grown_system 10000 100000
    python -m benchmarks.grown_system 1000000 --home /data/growth
"""

import argparse
import asyncio
import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks import report
from benchmarks.cold import System, listed, queries, search_once, summary
from benchmarks.exact import recalls
from benchmarks.repeated_sample import repeated, write_vectors
from services.common.model_dir import load_manifest
from services.gateway.search.query.schemas import DEFAULT_COLLECTION
from tests.stack import Stack
from xunwen.client import Client
from xunwen.embedded.settings import PORTS, variable

SEARCHES = 60
"""Number of searches of each kind."""
WRITES = 40
"""Number of single writes of each kind."""
_WARM_UP = 8
_SECONDS = 600.0
_START_SECONDS = 1800


@contextmanager
def system(home: Path, sources: Path) -> Iterator[Stack]:
    """An embedded system, not started; stopped at the end."""
    sources.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, **{variable(port): "0" for port in PORTS}}
    env |= {
        "XUNWEN_HOME": str(home),
        "XUNWEN_START_SECONDS": str(_START_SECONDS),
        "XUNWEN_INDEXER_SOURCE_ROOTS": json.dumps([str(sources)]),
    }
    stack = Stack(home, env)
    try:
        yield stack
    finally:
        stack.xunwen("down")


def start(stack: Stack) -> float:
    """Starts a system; returns the seconds until it is ready."""
    began = time.monotonic()
    up = stack.xunwen("up", "--detach", "--no-sample", seconds=_START_SECONDS)
    if up.returncode:
        raise SystemExit(f"xunwen up failed:\n{up.stdout}{up.stderr}")
    return time.monotonic() - began


def fill(stack: Stack, count: int, sources: Path) -> None:
    """Indexes the documents by one job."""
    start(stack)
    model = stack.settings.encoder
    write_vectors(sources / "documents.npy", count, model)
    with (sources / "documents.jsonl").open("w", encoding="utf-8") as lines:
        lines.writelines(one.model_dump_json() + "\n" for one in repeated(count))
    with Client(stack.url) as client:
        job = client.index(
            collection=DEFAULT_COLLECTION,
            source=str(sources / "documents.jsonl"),
            vectors=str(sources / "documents.npy"),
            encoder=load_manifest(model).fingerprint,
        )
        client.wait(job.id)
    stack.xunwen("down")


def job_rate(stack: Stack, count: int) -> float:
    """Documents per second of the job, from its acceptance to its end."""
    with Client(stack.url) as client:
        [job] = client.jobs(collection=DEFAULT_COLLECTION)
    if job.counts.indexed != count or job.finished_at is None:
        raise SystemExit(f"the job did not succeed: {job}")
    return count / (job.finished_at - job.created_at).total_seconds()


async def whole_again(url: str) -> float:
    """Seconds until a search is answered by both legs."""
    began, asked = time.monotonic(), queries()
    async with httpx.AsyncClient(base_url=url, timeout=_SECONDS) as http:
        while time.monotonic() < began + _SECONDS:
            try:
                answer = await search_once(http, next(asked), {"rank": False})
            except httpx.TransportError:
                continue
            if answer.status == httpx.codes.OK and not answer.degraded:
                return time.monotonic() - began
            await asyncio.sleep(0.1)
    raise SystemExit("no search was answered by both legs")


async def searches(url: str) -> dict[str, Any]:
    """The figures of searches without and with ranking."""
    asked = queries()
    figures: dict[str, Any] = {}
    async with httpx.AsyncClient(base_url=url, timeout=_SECONDS) as http:
        for name, rank in (("without ranking", False), ("with ranking", True)):
            answers = [
                await search_once(http, next(asked), {"rank": rank})
                for _ in range(_WARM_UP + SEARCHES)
            ]
            figures[name] = summary(answers[_WARM_UP:])
    return figures


def writes(url: str, count: int) -> dict[str, Any]:
    """Milliseconds of writes of one document: new ones, replaced ones, and deletions of the new."""
    path = f"/v1/collections/{DEFAULT_COLLECTION}/documents/"
    documents = list(islice(repeated(count), 0, None, max(1, count // WRITES)))[:WRITES]

    with httpx.Client(base_url=url, timeout=_SECONDS) as http:

        def put(at: int, identity: str) -> httpx.Response:
            one = documents[at]
            return http.put(path + identity, json={"title": one.title, "text": one.text})

        kinds: dict[str, Callable[[int], httpx.Response]] = {
            "a new document put": lambda at: put(at, f"new{at}"),
            "a document replaced": lambda at: put(at, documents[at].id),
            "a document deleted": lambda at: http.delete(f"{path}new{at}"),
        }
        return {name: _timed(call, len(documents)) for name, call in kinds.items()}


def _timed(call: Callable[[int], httpx.Response], count: int) -> dict[str, float]:
    took = []
    for at in range(count):
        began = time.perf_counter()
        call(at).raise_for_status()
        took.append((time.perf_counter() - began) * 1000)
    return {"p50_ms": statistics.median(took), "p99_ms": float(np.quantile(took, 0.99))}


def measured(count: int, folder: Path, *, compare: bool) -> dict[str, Any]:
    """The figures of one number of documents, with those of recall if `compare`."""
    home, sources = folder / "home", folder / "sources"
    with system(home, sources) as stack:
        if not home.exists():
            fill(stack, count, sources)
        figures: dict[str, Any] = {"load_1min": os.getloadavg()[0]}
        figures["restart_seconds"] = start(stack)
        engine = psutil.Process(stack.pid_of("milvus"))
        figures["engine_seconds"] = sum(engine.cpu_times()[:2])
        figures["job_per_second"] = job_rate(stack, count)
        figures["first_whole_answer_seconds"] = asyncio.run(whole_again(stack.url))
        figures["searches"] = asyncio.run(searches(stack.url))
        figures["memory_mb"] = System.of(stack.settings).memory_of_parts_mb()
        if compare:
            figures["recall"] = asyncio.run(
                recalls(stack.settings, count, sources / "documents.npy")
            )
        figures["writes"] = writes(stack.url, count)
        engine.kill()
        figures["whole_after_kill_seconds"] = asyncio.run(whole_again(stack.url))
        stored = (one.stat().st_size for one in (home / "milvus").rglob("*"))
        figures["index_mb"] = sum(stored) / 1e6
    return figures


def table(figures: dict[int, dict[str, Any]]) -> str:
    """One column for each number of documents."""
    columns = [_column(one) for one in figures.values()]
    return report.table(
        ["documents", *(f"{count:,}" for count in figures)],
        [[name, *(column[name] for column in columns)] for name in columns[0]],
    )


def _column(one: dict[str, Any]) -> dict[str, str]:
    """The figures of one number of documents, in words."""
    found, recalled = one["searches"], one.get("recall", {})
    return {
        "documents a second of the job": f"{one['job_per_second']:,.0f}",
        "`xunwen up` to ready, s": f"{one['restart_seconds']:.0f}",
        "of it processor time of the engine, s": f"{one['engine_seconds']:.1f}",
        "then to a search by both legs, s": f"{one['first_whole_answer_seconds']:.1f}",
        **{f"search {kind}, p50 and p99 ms": _two(found[kind]) for kind in found},
        **{
            f"stage {name}, p50 and p99 ms": _stage(found["without ranking"], name)
            for name in ("encode", "dense", "lexical", "fuse", "recall", "documents")
        },
        **{f"{kind}, p50 and p99 ms": _two(took) for kind, took in one["writes"].items()},
        "engine killed, then to a search by both legs, s": f"{one['whole_after_kill_seconds']:.1f}",
        "memory of all processes, MB": f"{sum(one['memory_mb'].values()):,.0f}",
        "memory by process, MB": listed(one["memory_mb"], "{:,.0f}"),
        "index on disk, MB": f"{one['index_mb']:,.0f}",
        "least recall@1000": listed(recalled, "{:.3f}"),
        "answers": listed(found["with ranking"]["statuses"]),
        "load before": f"{one['load_1min']:.1f}",
    }


def _two(figures: dict[str, float]) -> str:
    return f"{figures['p50_ms']:.0f}, {figures['p99_ms']:.0f}"


def _stage(searches: dict[str, Any], name: str) -> str:
    return f"{searches['stages_ms'][name]:.1f}, {searches['stages_p99_ms'][name]:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grown_system", description=__doc__)
    parser.add_argument("sizes", nargs="+", type=int, metavar="DOCUMENTS")
    parser.add_argument("--home", type=Path, help="folder that keeps the filled systems")
    parser.add_argument(
        "--compare",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare both legs with exact search, which takes minutes for a million",
    )
    options = parser.parse_args()
    logging.getLogger("httpx").setLevel(logging.WARNING)  # Paddle switches its own log lines on.
    figures = {}
    with tempfile.TemporaryDirectory(prefix="xunwen-growth-") as temporary:
        for size in options.sizes:
            folder = (options.home or Path(temporary)).resolve() / str(size)
            figures[size] = measured(size, folder, compare=options.compare)
            print(json.dumps({size: figures[size]}), flush=True)
    report.save("growth", {str(size): one for size, one in figures.items()}, table(figures))


if __name__ == "__main__":
    main()
