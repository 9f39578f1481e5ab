"""Measures latency and throughput of searches through the gateway, and what the services add to
them.

The gateway refuses what the machine cannot take; a refused client asks again after a moment, and
the time of its search counts from the attempt that was let in.
"""

import asyncio
import time
from collections.abc import Iterator
from itertools import count

import httpx
import numpy as np

from benchmarks import report
from benchmarks.texts import papers

CLIENTS = (1, 4, 16)
QUERIES = 160
"""Number of queries of all clients together."""
_AGAIN_SECONDS = 0.2


def main(url: str) -> None:
    """Measures each number of clients; each query is sent once, so no answer comes from the
    cache."""
    figures = asyncio.run(_measure(url))
    rows = [
        [clients, f"{row['p50_ms']:.0f}", f"{row['p99_ms']:.0f}", f"{row['per_second']:.1f}",
         f"{100 * row['overhead']:.0f} %", f"{row['degraded']} of {row['answers']}",
         f"{row['refused']:.0f}"]
        for clients, row in figures.items()
    ]  # fmt: skip
    columns = [
        "clients",
        "p50 ms",
        "p99 ms",
        "queries/s",
        "overhead of the services",
        "degraded",
        "refused",
    ]
    report.save("search", figures, report.table(columns, rows))


async def _measure(url: str) -> dict[str, dict[str, float]]:
    titles = [paper["title"] for paper in papers()]
    fresh = count()
    refused = 0
    figures = {}
    async with httpx.AsyncClient(base_url=url, timeout=120) as http:

        async def ask() -> tuple[float, float, bool]:
            nonlocal refused
            number = next(fresh)
            query = f"{titles[number % len(titles)]} {time.time_ns() % 10**9}"
            while True:
                started = time.perf_counter()
                answer = await http.post("/v1/search", json={"query": query, "budget_ms": 30_000})
                took = time.perf_counter() - started
                if answer.status_code != 503:
                    break
                refused += 1
                await asyncio.sleep(_AGAIN_SECONDS)
            answer.raise_for_status()
            body = answer.json()
            return took, _parts(body["stages"]), bool(body["degraded"])

        for _ in range(3):
            await ask()
        for clients in CLIENTS:
            left: Iterator[int] = iter(range(QUERIES))
            refused = 0

            async def client(left: Iterator[int] = left) -> list[tuple[float, float, bool]]:
                return [await ask() for _ in left]

            started = time.perf_counter()
            shares = await asyncio.gather(*(client() for _ in range(clients)))
            seconds = time.perf_counter() - started
            answers = [answer for share in shares for answer in share]
            took = np.array([answer[0] for answer in answers])
            parts = np.array([answer[1] for answer in answers])
            figures[str(clients)] = {
                "p50_ms": float(np.quantile(took, 0.5) * 1000),
                "p99_ms": float(np.quantile(took, 0.99) * 1000),
                "per_second": len(answers) / seconds,
                "overhead": float(np.median(took / parts) - 1),
                "degraded": sum(answer[2] for answer in answers),
                "answers": len(answers),
                "refused": refused,
            }
    return figures


def _parts(stages: list[dict[str, object]]) -> float:
    """Seconds that the stages of an answer took; of the two legs, which run side by side, the
    longer one counts."""
    took = {str(stage["name"]): float(str(stage["took_ms"])) / 1000 for stage in stages}
    dense = took.get("encode", 0.0) + took.get("dense", 0.0)
    rest = sum(took.get(name, 0.0) for name in ("fuse", "coarse", "fine", "rerank"))
    return max(dense, took.get("lexical", 0.0)) + rest
