"""Imports on Milvus 2.3.5, which reads their files from a directory.

An import leaves what upserts of the same input leave; kills and cancelling leave nothing half done;
nothing else writes meanwhile.
"""

import asyncio
from pathlib import Path

import pytest

from services.common.milvus import MilvusConnection
from services.common.model_dir import load_manifest
from services.indexer.index.imports.bulk_import import BulkImport, ImportFailed
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.wire import Planned
from services.indexer.originals import Originals
from services.indexer.store import ObjectStore
from services.indexer.work.client import IndexerClient
from services.indexer.work.planner import Planner
from tests.engines.cluster import ClusterSystem
from tests.engines.imports import (
    DOCUMENTS,
    check_equal,
    described,
    live,
    refused,
    shards,
    submit,
)
from tests.indexer.installation import PART_DOCUMENTS, Installation, jsonl, literature
from tests.milvus import on_connection
from tests.milvus_standalone import available
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(not available(), reason="Milvus 2.3.5 is built for x86-64 only")


@pytest.fixture
def running(cluster: ClusterSystem) -> Installation:
    return cluster.installation


def imported_files(running: Installation) -> list[Path]:
    """The files that Milvus is to read, or has read."""
    return [*(running.folder / "imports").rglob("*.parquet")]


def await_import(running: Installation, job: str) -> None:
    """Waits until Milvus is importing, which the job says."""
    eventually(lambda: "0 of 2 files are done" in running.job(job)["message"], 120)
    assert len(imported_files(running)) == 2


def await_reading(running: Installation, job: str, collection: str) -> None:
    """Waits until Milvus reads a file or indexes its rows, if possible. A collection that was
    dropped then kept Milvus from other imports for fifteen minutes."""
    await_import(running, job)
    [name] = running.physicals(collection)

    async def under_way(connection: MilvusConnection) -> bool:
        return await BulkImport(connection).under_way(name)

    eventually(
        lambda: (
            on_connection(running.milvus.url, under_way)
            or "1 of 2 files" in running.job(job)["message"]
        ),
        120,
    )


def test_an_import_leaves_what_upserts_leave(running: Installation) -> None:
    imported = check_equal(running, None)
    assert imported_files(running) == []
    put = running.client.put(f"/collections/{imported}/documents/p3", json={"title": "新的题名"})
    assert put.status_code == 200, put.text
    assert running.client.delete(f"/collections/{imported}/documents/p4").json()["deleted"] == 1
    assert described(running, imported)[0] == DOCUMENTS - 3


def test_nothing_else_writes_meanwhile(running: Installation) -> None:
    put = {"title": "题名"}
    with running.held():
        job = submit(running, "alone", "import")
        for mode in ("upsert", "rebuild", "import"):
            other = running.client.post(
                "/index-jobs", params={"collection": "alone", "mode": mode}, content=jsonl([])
            )
            assert job in refused(other)
        path = "/collections/alone/documents"
        assert f"while job {job} imports" in refused(running.client.put(f"{path}/a", json=put))
        deleted = running.client.post(f"{path}:delete", json={"ids": ["a"]})
        assert "cancel it" in refused(deleted)
        made = running.client.post("/collections", json={"name": "alone"})
        assert job in refused(made)
    assert running.ended(job, 240)["state"] == "succeeded_with_errors"
    assert running.client.put(f"{path}/a", json=put).status_code == 200
    assert described(running, "alone")[0] == DOCUMENTS - 1

    again = running.client.post(
        "/index-jobs", params={"collection": "alone", "mode": "import"}, content=jsonl(shards())
    )
    assert f"has {DOCUMENTS - 1} documents" in refused(again)
    with running.held():
        first = running.submit("alone", literature(3))
        beside = running.client.post(
            "/index-jobs", params={"collection": "alone", "mode": "import"}, content=jsonl([])
        )
        assert first in refused(beside)
    running.succeeded(first)


@pytest.mark.soak
def test_kills_double_no_row_and_lose_none(running: Installation) -> None:
    job = submit(running, "killed", "import")
    await_reading(running, job, "killed")
    running.restart(running.api)
    ended = running.ended(job, 240)
    assert ended["state"] == "succeeded_with_errors", ended
    assert ended["counts"]["indexed"] == DOCUMENTS - 2
    assert len(running.ids("killed")) == DOCUMENTS - 2
    assert len(running.physicals("killed")) == 1
    assert imported_files(running) == []


def test_a_cancelled_import_leaves_nothing(running: Installation) -> None:
    job = submit(running, "stopped", "import")
    await_reading(running, job, "stopped")
    assert running.client.post(f"/index-jobs/{job}:cancel").status_code == 200
    ended = running.ended(job)
    assert (ended["state"], ended["counts"]["indexed"]) == ("cancelled", 0)
    assert running.physicals("stopped") == []
    assert imported_files(running) == []
    put = running.client.put("/collections/stopped/documents/a", json={"title": "题名"})
    assert put.status_code == 200, put.text


def test_a_retry_writes_the_documents_that_failed(running: Installation) -> None:
    """The collection answers by then, and no import could add to it. The test plans the job itself
    and damages a part, of one document."""
    wanted = literature(PART_DOCUMENTS + 1)
    running.worker.kill()
    try:
        job = running.submit("tried_again", wanted, mode="import")
        files = JobFiles(ObjectStore(str(running.folder / "storage")))
        client = IndexerClient(str(running.client.base_url), "test", None)
        granted = client.claim(job, "plan", [load_manifest(running.model).fingerprint])
        plan = Planner(files, Originals(files.store), granted, check=lambda: None).plan()
        key = files.part_key(job, granted.token, 1)
        whole = files.store.read(key)
        files.store.write(key, whole[: len(whole) // 2])
        client.planned(job, Planned(token=granted.token, plan=plan))
        client.close()
    finally:
        running.worker.start()
    ended = running.ended(job, 240)
    assert (ended["state"], ended["counts"]["indexed"]) == (
        "succeeded_with_errors",
        PART_DOCUMENTS,
    ), ended
    assert len(running.ids("tried_again")) == PART_DOCUMENTS

    files.store.write(key, whole)
    put = running.client.put("/collections/tried_again/documents/p3", json={"title": "新的题名"})
    assert put.status_code == 200, put.text
    deleted = running.client.delete("/collections/tried_again/documents/p4")
    assert deleted.json()["deleted"] == 1
    assert running.client.post(f"/index-jobs/{job}:retry").status_code == 202
    ended = running.ended(job, 240)
    assert (ended["state"], ended["counts"]["indexed"]) == ("succeeded", len(wanted)), ended
    rows = {row.id: row.document.title for row in running.rows("tried_again")}
    assert rows.keys() == {line["id"] for line in wanted} - {"p4"}
    assert rows["p3"] == "新的题名"
    assert len(running.physicals("tried_again")) == 1
    assert imported_files(running) == []


def test_a_file_that_is_missing_fails(running: Installation) -> None:
    """The server says so later, not when it is asked to import."""
    assert running.client.post("/collections", json={"name": "missing"}).status_code == 201
    name = str(live(running, "missing"))

    async def imported(connection: MilvusConnection) -> None:
        bulk = BulkImport(connection)
        number = await bulk.start(name, str(running.folder / "imports" / "missing.parquet"))
        while not await bulk.completed(number):  # noqa: ASYNC110 - another server's state
            await asyncio.sleep(0.1)

    with pytest.raises(ImportFailed):
        on_connection(running.milvus.url, imported)
