"""Measures searches of which nothing is cached: latency, stages, small budgets, four clients.

Queries are natural queries of the development set (data/natural_dev.tsv), each followed by a number
of this run, so that no cache has the answer. If the system runs on this machine, the processor time
of each of its processes and their memory are reported too.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks import report
from benchmarks.texts import DATA
from xunwen.embedded.leftovers import leftovers
from xunwen.embedded.settings import EmbeddedSettings, last_settings

SEARCHES = 90
"""Number of searches of each of the first two rows."""
HURRIED = 20
"""Number of searches with a small budget."""
SHORT_BUDGET_MS = 50
CLIENTS = 4
CROWDED = 80
"""Number of searches of all clients together."""
_WARM_UP = 8
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one search of a running system."""

    took_ms: float
    status: int
    stages: Sequence[Mapping[str, Any]] = ()
    degraded: Sequence[str] = ()


def main(url: str) -> None:
    """Prints two tables and saves them."""
    system = System.at(url)
    figures = asyncio.run(_measure(url, system))
    report.save("cold", figures, _tables(figures))


async def _measure(url: str, system: "System | None") -> dict[str, Any]:
    asked = queries()
    figures: dict[str, Any] = {}
    async with httpx.AsyncClient(base_url=url, timeout=_SECONDS) as http:

        async def search(**options: Any) -> Answer:
            return await search_once(http, next(asked), options)

        for turn in range(2 * _WARM_UP):
            await search(rank=turn % 2 == 0)
        rows: list[tuple[str, int, dict[str, Any]]] = [
            ("hybrid with ranking", SEARCHES, {}),
            ("hybrid, rank: false", SEARCHES, {"rank": False}),
            (f"budget_ms: {SHORT_BUDGET_MS}", HURRIED, {"budget_ms": SHORT_BUDGET_MS}),
        ]
        for name, count, options in rows:
            before = system.seconds() if system else {}
            answers = [await search(**options) for _ in range(count)]
            figures[name] = summary(answers)
            if system:
                figures[name]["processor_ms"] = system.since(before, count)
        started = time.perf_counter()

        async def client(left: Iterator[int]) -> list[Answer]:
            return [await search() for _ in left]

        left = iter(range(CROWDED))
        shares = await asyncio.gather(*(client(left) for _ in range(CLIENTS)))
        seconds = time.perf_counter() - started
        crowd = summary([*chain(*shares)])
        figures[f"{CLIENTS} clients, with ranking"] = crowd | {"per_second": CROWDED / seconds}
    if system:
        figures["memory_mb"] = system.memory_mb()
    return figures


def queries() -> Iterator[str]:
    """Yields the queries of the set without end, each followed by another number."""
    lines = (DATA / "natural_dev.tsv").read_text(encoding="utf-8").splitlines()
    texts = [line.split("\t")[1] for line in lines]
    random.Random(0).shuffle(texts)  # The queries are shuffled, so that each row gets all kinds.
    turn = time.time_ns() // 10**6 % 10**4
    while True:
        for text in texts:
            yield f"{text} {turn}"
        turn += 1


async def search_once(http: httpx.AsyncClient, query: str, options: dict[str, Any]) -> Answer:
    """One search through the gateway. Raises RuntimeError if the answer came from the cache."""
    started = time.perf_counter()
    response = await http.post("/v1/search", json={"query": query, **options})
    took_ms = (time.perf_counter() - started) * 1000
    if response.is_error:
        return Answer(took_ms, response.status_code)
    body = response.json()
    if body["cached"]:
        raise RuntimeError("an answer came from the cache")
    return Answer(took_ms, response.status_code, body["stages"], body["degraded"])


def whole(response: httpx.Response) -> dict[str, Any]:
    """The body of an answer. Raises RuntimeError for one that is cached or lacks a part, which
    took less work."""
    body: dict[str, Any] = response.raise_for_status().json()
    if body["cached"] or body["degraded"]:
        raise RuntimeError(f"An answer of {response.url} is cached or lacks {body['degraded']}.")
    return body


def summary(answers: Sequence[Answer]) -> dict[str, Any]:
    """The figures of several searches: milliseconds of the whole and of each stage, statuses, and
    what was left out."""
    took = [answer.took_ms for answer in answers]
    stages: dict[str, list[float]] = {}
    for answer in answers:
        for stage in answer.stages:
            stages.setdefault(stage["name"], []).append(stage["took_ms"])
    return {
        "searches": len(answers),
        "least_ms": min(took),
        "p50_ms": statistics.median(took),
        "p99_ms": float(np.quantile(took, 0.99)),
        "most_ms": max(took),
        "statuses": _counted(answer.status for answer in answers),
        "degraded": _counted(name for answer in answers for name in answer.degraded),
        "stages_ms": {name: statistics.median(values) for name, values in stages.items()},
        "stages_p99_ms": {
            name: float(np.quantile(values, 0.99)) for name, values in stages.items()
        },
    }


def _counted(values: Any) -> dict[str, int]:
    found = [str(value) for value in values]
    return {value: found.count(value) for value in sorted(set(found))}


@dataclass(frozen=True, slots=True)
class System:
    """The processes of an embedded system on this machine."""

    processes: Mapping[str, psutil.Process]

    @classmethod
    def at(cls, url: str) -> "System | None":
        """The system of this gateway; None if the gateway does not run on this machine."""
        settings = last_settings(EmbeddedSettings())
        return cls.of(settings) if settings.gateway_url == url.rstrip("/") else None

    @classmethod
    def of(cls, settings: EmbeddedSettings) -> "System":
        """The system that was started with these settings."""
        named = {_name(process): process for process in leftovers(settings)}
        return cls({name: process for name, process in named.items() if name})

    def seconds(self) -> dict[str, float]:
        """Processor seconds of each part since its start."""
        return {name: sum(process.cpu_times()[:2]) for name, process in self.processes.items()}

    def since(self, before: Mapping[str, float], searches: int) -> dict[str, float]:
        """Milliseconds of processor time that each part took for one search; parts below 0.1 are
        left out."""
        spent = {
            name: (now - before[name]) * 1000 / searches for name, now in self.seconds().items()
        }
        return {name: round(ms, 1) for name, ms in spent.items() if ms >= 0.1}

    def memory_mb(self) -> float:
        """Memory of all parts in MB; shared memory is counted once."""
        return sum(self.memory_of_parts_mb().values())

    def memory_of_parts_mb(self) -> dict[str, float]:
        """Memory of each part in MB."""
        return {
            name: process.memory_full_info().pss / 1e6 for name, process in self.processes.items()
        }


def _name(process: psutil.Process) -> str:
    """Name of a process in the table."""
    words = process.cmdline()
    if "-m" in words:
        module = words[words.index("-m") + 1].removeprefix("services.")
        return f"{module} {process.pid}" if module.endswith("worker") else module
    return f"{words[0].rpartition('/')[2]} {process.pid}" if words else ""


def _tables(figures: Mapping[str, Any]) -> str:
    rows = {name: row for name, row in figures.items() if isinstance(row, dict)}
    speed = report.table(
        ["searches", "least ms", "p50 ms", "p99 ms", "most ms", "a second", "answers", "left out"],
        [
            [
                f"{name}, {row['searches']}",
                *(f"{row[key]:.0f}" for key in ("least_ms", "p50_ms", "p99_ms", "most_ms")),
                f"{row['per_second']:.1f}" if "per_second" in row else "",
                listed(row["statuses"]),
                listed(row["degraded"]),
            ]
            for name, row in rows.items()
        ],
    )
    stages = report.table(
        ["searches", "stages, ms at p50", "processor ms a search"],
        [
            [name, listed(row["stages_ms"], "{:.1f}"), listed(row.get("processor_ms", {}))]
            for name, row in rows.items()
        ],
    )
    memory = f"\n\nMemory: {figures['memory_mb']:,.0f} MB." if "memory_mb" in figures else ""
    return f"{speed}\n\n{stages}{memory}"


def listed(values: Mapping[str, float], shown: str = "{}") -> str:
    """Figures by name in one cell of a table, each in this format."""
    return ", ".join(f"{name} {shown.format(value)}" for name, value in values.items())
