"""A real indexer with its servers and workers as processes that tests kill, stop and restart."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from services.common.request_context import DEADLINE_HEADER
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.rows import Row
from tests.milvus import on_index, plain_client
from tests.models import tiny_encoder
from tests.servers import Server, free_port, milvus_lite, valkey
from tests.waiting import eventually

PART_DOCUMENTS = 50
LEASE_SECONDS = 2.0
PAPERS = Path(__file__).parents[2] / "data" / "literature_papers.jsonl"
TRADE = "trade"
"""A collection that has a dictionary from the first start on."""
PATIENT = {DEADLINE_HEADER: "50000"}
"""Header of searches, which take long on a busy machine."""
FINAL = {"succeeded", "succeeded_with_errors", "failed", "cancelled"}


class Program:
    """A Python program of ours."""

    def __init__(self, module: str, env: dict[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", module]
        self._env = env
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, env=self._env, stdout=log, stderr=log)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        self._send_last(signal.SIGKILL)
        self._await_end()

    def stop(self) -> None:
        stop_together(self)

    def _send_last(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)

    def _await_end(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        try:
            process.wait(120)  # Paddle's programs end slowly on a busy machine
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def memory_peak(self) -> int:
        """Bytes of resident memory at most."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024


def stop_together(*programs: Program) -> None:
    """Ends them; each takes a second or more."""
    for program in programs:
        program._send_last(signal.SIGTERM)
    for program in programs:
        program._await_end()


class Installation:
    """Everything that indexing needs. `client` speaks to the indexer."""

    def __init__(
        self,
        folder: Path,
        milvus: Server,
        redis: Server,
        model: Path,
        part_documents: int = PART_DOCUMENTS,
        lease_seconds: float = LEASE_SECONDS,
        **variables: str,
    ) -> None:
        self.folder = folder
        self.milvus = milvus
        self.redis = redis
        self.model = model
        self.sources = folder / "sources"
        self.sources.mkdir()
        self.dictionaries = folder / "dictionaries"
        self.dictionaries.mkdir()
        port, recall_port = free_port(), free_port()
        self.env = {
            **os.environ,
            "XUNWEN_INDEXER_PORT": str(port),
            "XUNWEN_INDEXER_URL": f"http://127.0.0.1:{port}",
            "XUNWEN_INDEXER_MILVUS_URI": milvus.url,
            "XUNWEN_INDEXER_STATE_REDIS_URL": redis.url,
            "XUNWEN_INDEXER_STORAGE_URL": str(folder / "storage"),
            "XUNWEN_INDEXER_SOURCE_ROOTS": json.dumps([str(self.sources)]),
            "XUNWEN_INDEXER_RECALL_URL": f"http://127.0.0.1:{recall_port}",
            "XUNWEN_INDEXER_MODEL_DIR": str(model),
            "XUNWEN_INDEXER_EXPECTED_WORKERS": "1",
            "XUNWEN_INDEXER_LEASE_SECONDS": str(lease_seconds),
            "XUNWEN_INDEXER_ROLE_SECONDS": "4",
            "XUNWEN_INDEXER_PART_DOCUMENTS": str(part_documents),
            "XUNWEN_INDEXER_THREADS": "1",
            "XUNWEN_INDEXER_DICTIONARIES": str(self.dictionaries),
            "XUNWEN_RECALL_PORT": str(recall_port),
            "XUNWEN_RECALL_MILVUS_URI": milvus.url,
            "XUNWEN_RECALL_MODEL_DIR": str(model),
            "XUNWEN_RECALL_THREADS": "1",
            "XUNWEN_RECALL_DICTIONARIES": str(self.dictionaries),
            **variables,
        }
        self.api = Program("services.indexer", self.env, folder / "indexer.log")
        self.worker = Program("services.indexer.worker", self.env, folder / "worker.log")
        self.recall = Program("services.recall", self.env, folder / "recall.log")
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self.search = httpx.Client(
            base_url=f"http://127.0.0.1:{recall_port}", headers=PATIENT, timeout=60
        )

    def await_ready(self) -> None:
        for client in (self.client, self.search):
            eventually(partial(_answers, client), 240)

    def submit(
        self,
        collection: str,
        lines: Iterable[dict[str, Any]] | bytes,
        headers: dict[str, str] | None = None,
        **params: Any,
    ) -> str:
        body = lines if isinstance(lines, bytes) else jsonl(lines)
        for _ in range(60):
            response = self.client.post(
                "/index-jobs",
                params={"collection": collection, **params},
                content=body,
                headers=headers,
            )
            if response.status_code != 503:
                break
            time.sleep(float(response.headers["retry-after"]))  # as a client does
        assert response.status_code == 202, response.text
        return str(response.json()["job_id"])

    def rebuild(self, collection: str, **params: str) -> str:
        """Submits a job that rebuilds a collection out of itself."""
        response = self.client.post(f"/collections/{collection}:rebuild", params=params)
        assert response.status_code == 202, response.text
        return str(response.json()["job_id"])

    def encoder_of(self, collection: str) -> str:
        return str(self.client.get(f"/collections/{collection}").json()["encoder"])

    def job(self, job_id: str) -> dict[str, Any]:
        """Waits for the indexer if it is away."""
        for _ in range(600):
            try:
                response = self.client.get(f"/index-jobs/{job_id}")
            except httpx.HTTPError:
                time.sleep(0.1)
                continue
            if response.status_code == 200:
                job: dict[str, Any] = response.json()
                return job
            time.sleep(0.1)
        raise TimeoutError(job_id)

    def ended(self, job_id: str, seconds: float = 120) -> dict[str, Any]:
        eventually(lambda: self.job(job_id)["state"] in FINAL, seconds)
        return self.job(job_id)

    def succeeded(self, job_id: str, seconds: float = 120) -> dict[str, Any]:
        """Waits for the end of a job, which must be its success."""
        job = self.ended(job_id, seconds)
        assert job["state"] == "succeeded", job
        return job

    def errors(self, job_id: str) -> list[dict[str, Any]]:
        text = self.client.get(f"/index-jobs/{job_id}/errors").text
        return [json.loads(line) for line in text.splitlines()]

    def indexed(self, job_id: str, least: int, seconds: float = 120) -> None:
        """Waits until so many documents are in; the job is still running then."""
        eventually(lambda: self.job(job_id)["counts"]["indexed"] >= least, seconds)
        assert self.job(job_id)["state"] == "running"

    def restart(self, part: Program | Server) -> None:
        """Killed as a crash does it, and started again on its data."""
        part.kill()
        part.start()

    def restart_with_settings(self, *programs: Program) -> None:
        """Stopped and started on what the environment and the files say now."""
        stop_together(*programs)
        for program in programs:
            program.start()
        self.await_ready()

    @contextmanager
    def held(self) -> Iterator[None]:
        """The worker stands still while the block runs, so that a job stays where it is."""
        self.worker.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.worker.signal(signal.SIGCONT)

    @contextmanager
    def second_worker(self) -> Iterator[None]:
        other = Program("services.indexer.worker", self.env, self.folder / "worker2.log")
        other.start()
        try:
            yield
        finally:
            other.stop()

    def rows(self, collection: str) -> list[Row]:
        """Every row that is in the index, duplicates included."""

        async def read(index: MilvusVectorIndex) -> list[Row]:
            physical = await index.resolve(collection)
            assert physical is not None
            rows = [row async for row in index.scan(physical)]
            assert await index.count(physical) == len(rows)
            return rows

        return on_index(self.milvus.url, read)

    def physicals(self, collection: str) -> list[str]:
        """The names of the collection's generations that are there."""

        async def read(index: MilvusVectorIndex) -> list[str]:
            return sorted(str(one) for one in await index.physicals() if one.name == collection)

        return on_index(self.milvus.url, read)

    def collections_of_milvus(self) -> list[str]:
        """The names of all collections that the server has."""
        client = plain_client(self.milvus.url)
        try:
            return list(client.list_collections())
        finally:
            client.close()

    def ids(self, collection: str) -> list[str]:
        return sorted(row.id for row in self.rows(collection))

    def found(self, collection: str, query: str, mode: str = "hybrid") -> list[str]:
        """Ids that a search through the recall service gives."""
        body = {"query": query, "collection": collection, "top_n": 10, "mode": mode}
        response = self.search.post("/search", json=body)
        assert response.status_code == 200, response.text
        return [hit["id"] for hit in response.json()["candidates"]]


@contextmanager
def installation(
    folder: Path,
    part_documents: int = PART_DOCUMENTS,
    lease_seconds: float = LEASE_SECONDS,
    server: Server | None = None,
    words: Mapping[str, str] | None = None,
    **variables: str,
) -> Iterator[Installation]:
    """Started; `server` is the Milvus, by default an embedded engine of its own; `words` are the
    user dictionaries of collections; `variables` are further ones of the environment."""
    model = tiny_encoder(folder / "model")
    with nullcontext(server) if server else milvus_lite(folder) as milvus, valkey(folder) as redis:
        running = Installation(
            folder, milvus, redis, model, part_documents, lease_seconds, **variables
        )
        for collection, lines in (words or {}).items():
            (running.dictionaries / f"{collection}.txt").write_text(lines, encoding="utf-8")
        with ExitStack() as stack:
            stack.callback(running.client.close)
            stack.callback(running.search.close)
            programs = (running.api, running.worker, running.recall)
            stack.callback(stop_together, *programs)
            for program in programs:
                program.start()
            running.await_ready()
            yield running


def documents(count: int, prefix: str = "d") -> list[dict[str, Any]]:
    return [
        {"id": f"{prefix}{n}", "title": f"第{n}篇文献", "year": 2000 + n % 20} for n in range(count)
    ]


def literature(count: int, prefix: str = "p") -> list[dict[str, Any]]:
    """Documents of real text, each with a title of its own."""
    papers = [json.loads(line) for line in PAPERS.read_text().splitlines()]
    return [
        {
            "id": f"{prefix}{n}",
            "title": f"{papers[n % len(papers)]['title']}（{prefix}{n}）",
            "text": papers[n * 7 % len(papers)]["text"][:200],
            "year": 2000 + n % 20,
        }
        for n in range(count)
    ]


def jsonl(lines: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.HTTPError:
        return False
