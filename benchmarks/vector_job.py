"""Measures bulk jobs that read documents and their vectors from a folder, on Milvus 2.3.5: by
upserts, and by Milvus's bulk import.

    python -m benchmarks.vector_job 5000
    python -m benchmarks.vector_job 20000 --modes import

Documents and vectors are those of `benchmarks.bulk_import`. Figures are given for the end of a job,
and for the time when all its rows are in sealed segments with an index of their vectors, which an
import waits for. Processor time is that of each process.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks.bulk_import import rows
from benchmarks.growth import documents
from benchmarks.indexing import MODEL
from benchmarks.stopwatch import Stopwatch
from services.common.milvus import MilvusAddress, milvus_connection
from services.common.model_dir import load_manifest
from tests.indexer.installation import FINAL, Installation, Program
from tests.milvus_standalone import milvus_standalone
from tests.servers import Server, valkey

MODES = ("upsert", "import")
_PART_DOCUMENTS, _LEASE_SECONDS, _WAIT_SECONDS = 1_000, 30.0, 900.0


def jobs(server: Server, folder: Path, count: int, modes: Sequence[str]) -> None:
    """A bulk job of each of the modes, into a collection of its own."""
    place = {"XUNWEN_INDEXER_IMPORT_URL": str(folder / "imports")}
    with valkey(folder) as redis:
        running = Installation(
            folder, server, redis, MODEL, _PART_DOCUMENTS, _LEASE_SECONDS, **place
        )
        with (running.sources / "part.jsonl").open("w", encoding="utf-8") as lines:
            lines.writelines(one.model_dump_json() + "\n" for one in documents(count))
        np.save(running.sources / "part.npy", np.stack([row.vector for row in rows(count)]))
        programs = {"indexer": running.api, "worker": running.worker}
        for program in programs.values():
            program.start()
        try:
            _await_ready(running)
            for mode in modes:
                _measure(running, programs, count, mode)
        finally:
            for program in programs.values():
                program.stop()
            running.client.close()
            running.search.close()


def _await_ready(running: Installation) -> None:
    give_up = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            if running.client.get("/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > give_up:
            raise SystemExit("the indexer did not become ready")
        time.sleep(0.3)


def _measure(running: Installation, programs: dict[str, Program], count: int, mode: str) -> None:
    """Prints the figures of a job, and the processor time of each process."""
    found = {name: psutil.Process(one.pid) for name, one in programs.items()}
    found |= {"milvus": psutil.Process(running.milvus.pid)}
    watches = {name: Stopwatch.of([process]) for name, process in found.items()}
    whole = Stopwatch.of([*found.values()])
    answer = running.client.post(
        "/index-jobs",
        params={
            "collection": f"{mode}s",
            "mode": mode,
            "source": str(running.sources / "part.jsonl"),
            "vectors": str(running.sources / "part.npy"),
            "encoder": load_manifest(MODEL).fingerprint,
        },
    )
    answer.raise_for_status()
    while (job := running.job(answer.json()["job_id"]))["state"] not in FINAL:
        time.sleep(0.5)
    if job["counts"]["indexed"] != count:
        raise SystemExit(f"the job did not succeed: {job}")
    print(f"{mode}, job: {whole.rate(count)}")
    [physical] = running.physicals(f"{mode}s")
    asyncio.run(_sealed(running.milvus.url, physical))
    print(f"{mode}, sealed and indexed: {whole.rate(count)}")
    for name, watch in watches.items():
        print(f"  {name}: {watch.rate(count)}", flush=True)
    memory = {name: program.memory_peak() >> 20 for name, program in programs.items()}
    print(f"  most memory until then, MB: {memory}; load {os.getloadavg()[0]:.0f}", flush=True)


async def _sealed(url: str, physical: str) -> None:
    """Has all rows of a collection sealed, and waits until the index of their vectors is built."""

    async def pending(client: Any) -> int:
        return int((await client.describe_index(physical, "vector"))["pending_index_rows"])

    async with milvus_connection(MilvusAddress(url)) as connection:
        await connection.ask("flush", lambda client: client.flush(physical), _WAIT_SECONDS)
        while await connection.ask("describe", pending, 30):  # noqa: ASYNC110 - a server's state
            await asyncio.sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vector_job", description=__doc__)
    parser.add_argument("documents", type=int, nargs="?", default=5_000)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xunwen-vectors-") as name:
        folder = Path(name)
        with milvus_standalone(folder / "engine") as server:
            jobs(server, folder, options.documents, options.modes)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
