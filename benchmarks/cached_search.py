"""Throughput of a cached search beside a bare FastAPI route that returns the same bytes.

    .venv/bin/python benchmarks/cached_search.py [--url http://127.0.0.1:8000] [--seconds 10]

The gateway is the one of a running system (`xunwen up`); the route is a process of its own. They
are measured in turns of one second, so that a neighbour's load meets both alike. Prints the medians
of requests a second, processor time a request, and both ratios. Exits 1 below the ratio of 0.6.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

_BARE = """
import os, uvicorn
from fastapi import FastAPI, Response
app = FastAPI()
answer = open(os.environ["ANSWER"], "rb").read()
@app.post("/v1/search")
async def search() -> Response:
    return Response(answer, media_type="application/json")
port = int(os.environ["PORT"])
uvicorn.run(app, port=port, access_log=False, log_level="error", http="httptools")
"""
_BODY = json.dumps({"query": "国有企业的创新", "rank": False, "budget_ms": 30_000}).encode()
_GOAL = 0.6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def bare_route(answer: Path) -> Iterator[int]:
    port = free_port()
    env = {**os.environ, "PORT": str(port), "ANSWER": str(answer)}
    process = subprocess.Popen([sys.executable, "-c", _BARE], env=env)
    try:
        give_up = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/")
                break
            except httpx.TransportError:
                if time.monotonic() > give_up or process.poll() is not None:
                    raise
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


async def requests(port: int, seconds: float, connections: int) -> float:
    """Answers per second over `connections`, each of which sends a request when the one before is
    answered."""
    head = (
        f"POST /v1/search HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(_BODY)}\r\n\r\n"
    ).encode()
    until = time.perf_counter() + seconds
    answered = 0

    async def one() -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until:
            writer.write(head + _BODY)
            said = await reader.readuntil(b"\r\n\r\n")
            if not said.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(said.decode())
            lower = said.lower()
            length = int(lower.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            answered += 1
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return answered / (time.perf_counter() - started)


def measure(url: str, seconds: int, connections: int) -> float:
    """Measures, prints the figures and returns the ratio of answers per second, ours to the bare
    route's."""
    with ExitStack() as stack:
        gateway = httpx.URL(url).port or 80
        # The first answer is computed and kept; the second one comes from the cache.
        for cache_control in ("no-cache", "max-age=60"):
            answer = httpx.post(
                f"{url}/v1/search",
                content=_BODY,
                headers={"content-type": "application/json", "cache-control": cache_control},
                timeout=60,
            ).raise_for_status()
        if answer.headers["x-cache"] != "HIT":
            raise RuntimeError(f"the answer is not cached: {answer.headers['x-cache']}")
        path = Path(stack.enter_context(TemporaryDirectory())) / "answer.json"
        path.write_bytes(answer.content)
        bare = stack.enter_context(bare_route(path))
        rates: dict[int, list[float]] = {gateway: [], bare: []}
        costs = {port: Cost(listening(port)) for port in rates}
        for _ in range(seconds):
            for port, found in rates.items():
                with costs[port]:
                    found.append(asyncio.run(requests(port, 1.0, connections)))
    ours, theirs = (statistics.median(found) for found in rates.values())
    own, bares = (costs[port].seconds / sum(rates[port]) * 1e6 for port in rates)
    print(
        f"{len(answer.content):,} bytes, {connections} connections: cached search {ours:,.0f}/s,"
        f" bare FastAPI route {theirs:,.0f}/s, ratio {ours / theirs:.2f}; processor time"
        f" {own:.0f} and {bares:.0f} us a request, ratio {bares / own:.2f}"
    )
    return ours / theirs


class Cost:
    """Counts the processor time of a process, in seconds, while blocks run."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._began = 0.0
        self.seconds = 0.0

    def _now(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def __enter__(self) -> None:
        self._began = self._now()

    def __exit__(self, *exc: object) -> None:
        self.seconds += self._now() - self._began


def listening(port: int) -> psutil.Process:
    """The process of this machine that listens on a port."""
    for each in psutil.net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
            return psutil.Process(each.pid)
    raise RuntimeError(f"nothing of this machine listens on port {port}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=16)
    given = parser.parse_args()
    return 0 if measure(given.url, given.seconds, given.connections) >= _GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
