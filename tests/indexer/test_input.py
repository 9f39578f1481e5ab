"""Input as users send it to the running service: large, wrong, named, with vectors."""

import gzip
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from services.common.model_dir import load_manifest
from tests.indexer.installation import Installation, Program, installation
from tests.models import DIMENSION
from tests.waiting import eventually

SOAK_BYTES = int(os.environ.get("XUNWEN_SOAK_BYTES", str(2 << 30)))
SOAK_LINES = int(os.environ.get("XUNWEN_SOAK_LINES", "1000000"))
API_BYTES = 128 << 20
"""What an upload of any size may add to the indexer's resident memory."""
WORKER_BYTES = 400 << 20
"""The same of a worker that plans it."""


def peak(program: Program) -> int:
    return program.memory_peak()


def upload(indexer: Installation, size: int, collection: str) -> None:
    """Sends lines that all lack an id, which are read to the end and rejected one by one."""
    line = json.dumps({"title": "字" * 300}, ensure_ascii=False).encode() + b"\n"
    block = line * 1000

    def body() -> Iterator[bytes]:
        yield b'{"id":"one","title":"t"}\n'
        for _ in range(size // len(block)):
            yield block

    api, worker = peak(indexer.api), peak(indexer.worker)
    response = indexer.client.post(
        "/index-jobs", params={"collection": collection}, content=body(), timeout=3600
    )
    assert response.status_code == 202, response.text
    ended = indexer.ended(response.json()["job_id"], 7200)
    lines = 1 + size // len(block) * 1000
    assert ended["counts"] == {
        "read": lines, "indexed": 1, "rejected": lines - 1, "deduplicated": 0,
    }  # fmt: skip
    grown_api, grown_worker = peak(indexer.api) - api, peak(indexer.worker) - worker
    print(
        f"\nupload of {size / 2**20:,.0f} MiB: the indexer's peak grew by"
        f" {grown_api / 2**20:.0f} MiB, the worker's by {grown_worker / 2**20:.0f} MiB"
    )
    assert grown_api < API_BYTES
    assert grown_worker < WORKER_BYTES


def test_an_upload_does_not_grow_the_memory(indexer: Installation) -> None:
    upload(indexer, 32 << 20, "uploaded")


@pytest.mark.soak
def test_a_huge_upload_does_not_grow_the_memory(tmp_path: Path) -> None:
    with installation(tmp_path, part_documents=1000, lease_seconds=30) as large:
        upload(large, SOAK_BYTES, "uploaded")


@pytest.mark.soak
def test_a_million_lines_are_planned_in_bounded_memory(tmp_path: Path) -> None:
    """Planned and then cancelled: milvus-lite is not made for a million documents."""
    with installation(tmp_path, part_documents=1000, lease_seconds=30) as large:
        worker = peak(large.worker)
        path = large.sources / "lines.txt.gz"
        with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as stream:
            for number in range(SOAK_LINES):
                stream.write(f"第{number}行的文本\n")
        job = large.client.post(
            "/index-jobs",
            params={"collection": "lines", "format": "lines", "source": str(path)},
            timeout=600,
        ).json()["job_id"]
        eventually(lambda: large.job(job)["total"] == SOAK_LINES, 3600)
        large.indexed(job, 1)
        large.client.post(f"/index-jobs/{job}:cancel").raise_for_status()
        ended = large.ended(job)
        assert ended["counts"]["read"] == SOAK_LINES
        assert ended["counts"]["indexed"] == len(large.ids("lines"))
        grown = peak(large.worker) - worker
        print(f"\n{SOAK_LINES:,} lines: the worker's peak grew by {grown / 2**20:.0f} MiB")
        assert grown < WORKER_BYTES


def test_a_hopeless_file_is_stopped_early_and_nothing_of_it_goes_in(indexer: Installation) -> None:
    body = b'{"id":"a","title":"t"}\n' + b"wrong\n" * 5000
    job = indexer.submit("hopeless", body, max_errors=10)
    ended = indexer.ended(job)
    assert (ended["state"], ended["counts"]["indexed"]) == ("failed", 0)
    assert ended["counts"]["read"] < 100
    assert "More than 10 lines" in ended["message"]
    assert [error["line"] for error in indexer.errors(job)] == list(range(2, 13))
    assert indexer.client.get("/collections/hopeless").status_code == 404
    assert indexer.client.post(f"/index-jobs/{job}:retry").status_code == 409


def test_an_upload_that_breaks_off_leaves_nothing(indexer: Installation) -> None:
    jobs = indexer.folder / "storage" / "jobs"
    before = sorted(jobs.iterdir()) if jobs.exists() else []

    def body() -> Iterator[bytes]:
        yield b'{"id":"a","title":"t"}\n' * 100_000
        raise ConnectionError

    with httpx.Client(base_url=indexer.client.base_url) as client, pytest.raises(ConnectionError):
        client.post("/index-jobs", params={"collection": "broken"}, content=body())
    eventually(lambda: sorted(jobs.iterdir()) == before)


def test_a_named_source_is_read_under_its_root_and_nowhere_else(indexer: Installation) -> None:
    path = indexer.sources / "in.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id":"a","title":"t"}\n', mtime=0))

    def submit(source: str) -> httpx.Response:
        params = {"collection": "named", "source": source}
        return indexer.client.post("/index-jobs", params=params)

    (indexer.folder / "secret").write_text("secret")
    (indexer.sources / "link").symlink_to(indexer.folder / "secret")
    for source, status in [
        ("http://127.0.0.1:6379/", 422),
        ("https://example.org/a", 422),
        ("ftp://127.0.0.1/a", 422),
        ("memory://a", 422),
        ("simplecache::file:///etc/passwd", 422),
        ("/etc/passwd", 403),
        ("file:///etc/passwd", 403),
        (str(indexer.sources / "link"), 403),
        (f"{indexer.sources}/../secret", 403),
        ("s3://bucket/key", 403),
        (f"{indexer.sources}/missing", 404),
    ]:
        refused = submit(source)
        assert refused.status_code == status, (source, refused.text)
        assert "Traceback" not in refused.text
    indexer.succeeded(submit(str(path)).json()["job_id"])
    assert indexer.ids("named") == ["a"]


def test_ready_made_vectors_are_indexed_as_they_are(indexer: Installation) -> None:
    fingerprint = load_manifest(indexer.model).fingerprint
    matrix = np.eye(DIMENSION, dtype=np.float32)[:3]
    sink = io.BytesIO()
    np.save(sink, matrix)
    (indexer.sources / "v.npy").write_bytes(sink.getvalue())
    lines = b"".join(b'{"id":"%d","title":"t"}\n' % n for n in range(3))
    (indexer.sources / "v.jsonl").write_bytes(lines)
    params = {
        "collection": "vectors",
        "source": str(indexer.sources / "v.jsonl"),
        "vectors": str(indexer.sources / "v.npy"),
    }
    assert indexer.client.post("/index-jobs", params=params).status_code == 422
    wrong = {**params, "encoder": "0" * 16}
    assert indexer.client.post("/index-jobs", params=wrong).status_code == 422
    right = {**params, "encoder": fingerprint}
    job = indexer.client.post("/index-jobs", params=right).json()["job_id"]
    indexer.succeeded(job)
    rows = {row.id: row.vector for row in indexer.rows("vectors")}
    assert np.array_equal(np.stack([rows[str(n)] for n in range(3)]), matrix)


def test_a_second_indexer_writes_nothing_and_takes_over_when_the_first_is_gone(
    indexer: Installation,
) -> None:
    """Two writers on the embedded Milvus lose rows, so that must not be possible."""
    from tests.servers import free_port

    port = free_port()
    second = Program(
        "services.indexer",
        {**indexer.env, "XUNWEN_INDEXER_PORT": str(port)},
        indexer.folder / "indexer2.log",
    )
    second.start()
    url = f"http://127.0.0.1:{port}"

    def status(path: str) -> int:
        try:
            return httpx.get(url + path, timeout=30).status_code
        except httpx.HTTPError:
            return 0

    try:
        eventually(lambda: status("/livez") == 200, 240)
        assert status("/readyz") == 503
        line = b'{"id":"a","title":"t"}\n'
        refused = httpx.post(f"{url}/index-jobs", params={"collection": "two"}, content=line)
        assert refused.status_code == 503
        body = {"title": "t", "text": "", "fields": {}}
        put = httpx.put(f"{url}/collections/two/documents/a", json=body, timeout=30)
        assert put.status_code == 503

        job = indexer.submit("two", line)
        indexer.succeeded(job)
        assert status(f"/index-jobs/{job}") == 503  # it does not know, and says so
        indexer.api.kill()
        eventually(lambda: status(f"/index-jobs/{job}") == 200)
    finally:
        second.stop()
        if indexer.api.process is None:
            indexer.api.start()
        indexer.await_ready()
    assert indexer.ids("two") == ["a"]
