"""Messages that are lost, come twice, or wake a worker that slept too long: no change."""

import json
import signal
from dataclasses import replace

import numpy as np
import redis

from services.common.model_dir import load_manifest
from services.common.redis.address import RedisAddress
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.wire import Planned
from services.indexer.originals import Originals
from services.indexer.queue import PART_TASK, PLAN_TASK, celery_app
from services.indexer.store import ObjectStore
from services.indexer.tables import pack_planned, unpack_planned
from services.indexer.work.client import IndexerClient
from services.indexer.work.planner import Planner
from tests.indexer.installation import (
    LEASE_SECONDS,
    Installation,
    documents,
    literature,
)
from tests.waiting import eventually


def keys_of(indexer: Installation, job: str) -> list[str]:
    plan = json.loads((indexer.folder / "storage" / "jobs" / job / "plan.json").read_text())
    return [f"{part:06d}-0-{size}" for part, size in enumerate(plan["parts"])]


def results_of(indexer: Installation, job: str) -> list[str]:
    folder = indexer.folder / "storage" / "jobs" / job / "results"
    return sorted(path.name for path in folder.iterdir())


def test_a_lost_redis_is_reconciled(indexer: Installation) -> None:
    wanted = literature(1000, "f")
    job = indexer.submit("flushed", wanted)
    indexer.indexed(job, 100)
    with redis.Redis.from_url(indexer.redis.url) as broker:
        broker.flushall()
    ended = indexer.succeeded(job)
    assert indexer.ids("flushed") == sorted(item["id"] for item in wanted)
    print(f"\nFLUSHALL with {ended['counts']['read']:,} documents under way: all in, once")


def test_every_message_delivered_again_changes_nothing(indexer: Installation) -> None:
    wanted = literature(300, "t")
    job = indexer.submit("twice", wanted)
    indexer.indexed(job, 1)
    queue = celery_app(RedisAddress.parse(indexer.redis.url), "xunwen-index")
    try:
        for _ in range(3):
            queue.send_task(PLAN_TASK, args=[job])
            for key in keys_of(indexer, job):
                queue.send_task(PART_TASK, args=[job, key])
        indexer.succeeded(job)
        before, rows = indexer.job(job), indexer.rows("twice")
        for key in keys_of(indexer, job):
            queue.send_task(PART_TASK, args=[job, key])
    finally:
        queue.close()
    after = indexer.submit("twice_after", documents(1))
    indexer.succeeded(after)  # so the messages before it were taken
    assert indexer.job(job) == before
    assert before["counts"]["indexed"] == 300
    assert results_of(indexer, job) == [f"{key}.json" for key in keys_of(indexer, job)]
    again = {(row.id, row.version) for row in indexer.rows("twice")}
    assert again == {(row.id, row.version) for row in rows}
    assert indexer.ids("twice") == sorted(item["id"] for item in wanted)


def test_a_worker_that_slept_past_its_lease_changes_nothing(indexer: Installation) -> None:
    wanted = literature(600, "s")
    job = indexer.submit("slept", wanted)
    indexer.indexed(job, 50)
    indexer.worker.signal(signal.SIGSTOP)
    try:
        with indexer.second_worker():
            indexed = indexer.job(job)["counts"]["indexed"]
            eventually(lambda: indexer.job(job)["counts"]["indexed"] > indexed)
            indexer.succeeded(job)
            before = {(row.id, row.version) for row in indexer.rows("slept")}
    finally:
        indexer.worker.signal(signal.SIGCONT)
    after = indexer.submit("slept_after", documents(1))
    indexer.succeeded(after)  # done by the one that slept
    assert indexer.job(job)["counts"]["indexed"] == 600
    assert {(row.id, row.version) for row in indexer.rows("slept")} == before
    assert indexer.ids("slept") == sorted(item["id"] for item in wanted)
    assert len(results_of(indexer, job)) == len(keys_of(indexer, job))
    print(
        f"\nSIGSTOP past a lease of {LEASE_SECONDS} s: the other worker finished, no change after"
    )


def test_a_document_that_no_worker_can_do_is_found_and_the_rest_goes_in(
    indexer: Installation,
) -> None:
    """Planning lets nothing bad through, so the test plans the job itself and damages a part."""
    wanted = documents(60, "x")
    indexer.worker.kill()
    try:
        job = indexer.submit("poison", wanted)
        files = JobFiles(ObjectStore(str(indexer.folder / "storage")))
        client = IndexerClient(str(indexer.client.base_url), "test", None)
        granted = client.claim(job, "plan", [load_manifest(indexer.model).fingerprint])
        plan = Planner(files, Originals(files.store), granted, check=lambda: None).plan()
        key = files.part_key(job, granted.token, 0)
        planned = unpack_planned(files.store.read(key), 0, plan.parts[0])
        planned[7] = replace(planned[7], vector=np.ones(3, np.float32))
        files.store.write(key, pack_planned(planned))
        client.planned(job, Planned(token=granted.token, plan=plan))
        client.close()
    finally:
        indexer.worker.start()
    ended = indexer.ended(job)
    assert ended["state"] == "succeeded_with_errors"
    assert (ended["counts"]["indexed"], ended["counts"]["rejected"]) == (59, 1)
    [error] = indexer.errors(job)
    assert (error["line"], error["content"]) == (8, "x7")
    assert indexer.ids("poison") == sorted(item["id"] for item in wanted if item["id"] != "x7")

    # A retry tries what failed and nothing else.
    files.store.write(key, pack_planned([replace(item, vector=None) for item in planned]))
    assert indexer.client.post(f"/index-jobs/{job}:retry").status_code == 202
    ended = indexer.ended(job)
    assert (ended["state"], ended["counts"]["indexed"]) == ("succeeded", 60)
    assert indexer.ids("poison") == sorted(item["id"] for item in wanted)
