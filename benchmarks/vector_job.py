"""Measures a bulk job that reads documents and their vectors from a folder, on Milvus 2.3.5, as
`xunwen load --seen-at` starts it: processor time of each process, without the server's index of the
vectors.

    python -m benchmarks.vector_job 5000

Documents and vectors are those of `benchmarks.bulk_import`.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import psutil

from benchmarks.bulk_import import rows
from benchmarks.growth import documents
from benchmarks.indexing import MODEL
from benchmarks.stopwatch import Stopwatch
from services.common.model_dir import load_manifest
from tests.indexer.installation import FINAL, Installation, Program
from tests.milvus_standalone import milvus_standalone
from tests.servers import Server, valkey

_PART_DOCUMENTS, _LEASE_SECONDS, _WAIT_SECONDS = 1_000, 30.0, 900.0


def job(server: Server, folder: Path, count: int) -> None:
    """A bulk job that reads documents and vectors from a folder, as `xunwen load --seen-at`."""
    with valkey(folder) as redis:
        running = Installation(folder, server, redis, MODEL, _PART_DOCUMENTS, _LEASE_SECONDS)
        with (running.sources / "part.jsonl").open("w", encoding="utf-8") as lines:
            lines.writelines(one.model_dump_json() + "\n" for one in documents(count))
        np.save(running.sources / "part.npy", np.stack([row.vector for row in rows(count)]))
        programs = {"indexer": running.api, "worker": running.worker}
        for program in programs.values():
            program.start()
        try:
            _await_ready(running)
            _measure_job(running, programs, count)
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


def _measure_job(running: Installation, programs: dict[str, Program], count: int) -> None:
    """Prints the figures of the job, and the processor time of each process."""
    found = {name: psutil.Process(one.pid) for name, one in programs.items()}
    found |= {"milvus": psutil.Process(running.milvus.pid)}
    watches = {name: Stopwatch.of([process]) for name, process in found.items()}
    whole = Stopwatch.of([*found.values()])
    answer = running.client.post(
        "/index-jobs",
        params={
            "collection": "imports",
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
    print(f"job: {whole.rate(count)}")
    for name, watch in watches.items():
        print(f"  {name}: {watch.rate(count)}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vector_job", description=__doc__)
    parser.add_argument("documents", type=int, nargs="?", default=5_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xunwen-vectors-") as name:
        folder = Path(name)
        with milvus_standalone(folder / "engine") as server:
            job(server, folder, options.documents)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
