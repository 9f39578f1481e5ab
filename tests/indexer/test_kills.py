"""One job while everything it needs is killed: each document is in once, and found."""

import os
import random
import time
from pathlib import Path

import pytest

from tests.indexer.installation import Installation, eventually, installation, literature

SOAK_DOCUMENTS = int(os.environ.get("XUNWEN_SOAK_DOCUMENTS", "100000"))


def survive(indexer: Installation, count: int, worker_kills: int, collection: str) -> None:
    """Kills at random places of one job: the worker often, every other server once."""
    documents = literature(count)
    chance = random.Random(count)
    kills = ["worker"] * worker_kills + ["api", "broker", "milvus"]
    chance.shuffle(kills)
    places = sorted(chance.uniform(0.0, 0.85) for _ in kills)
    parts = {
        "worker": indexer.worker,
        "api": indexer.api,
        "broker": indexer.redis,
        "milvus": indexer.milvus,
    }
    started = time.monotonic()
    job = indexer.submit(collection, documents)
    for name, place in zip(kills, places, strict=True):
        indexer.indexed(job, int(place * count), seconds=1800)
        time.sleep(chance.uniform(0.0, 0.3))
        indexer.restart(parts[name])
    ended = indexer.ended(job, seconds=3600)
    seconds = time.monotonic() - started

    assert ended["state"] == "succeeded", ended
    assert ended["counts"] == {"read": count, "indexed": count, "rejected": 0, "deduplicated": 0}
    ids = indexer.ids(collection)
    assert ids == sorted(item["id"] for item in documents)
    indexer.await_ready()
    sample = chance.sample(documents, 25)
    for item in sample:
        # By the one word that no other title has; the papers repeat, their titles do not.
        assert indexer.found(collection, item["id"], "lexical").count(item["id"]) == 1, item["id"]
    print(
        f"\n{count:,} documents, kill -9 of {', '.join(kills)}: succeeded in {seconds:.0f} s,"
        f" {len(ids):,} rows, {len(set(ids)):,} distinct ids, {len(sample)} of {len(sample)} found"
    )


def test_a_job_survives_the_death_of_every_part(indexer: Installation) -> None:
    survive(indexer, 1000, 2, "killed")


@pytest.mark.soak
def test_a_large_job_survives_the_death_of_every_part(tmp_path: Path) -> None:
    with installation(tmp_path, part_documents=1000, lease_seconds=30) as large:
        survive(large, SOAK_DOCUMENTS, 10, "killed")


def test_an_acknowledged_job_is_there_after_the_indexer_died_at_once(
    indexer: Installation,
) -> None:
    documents = literature(60, "q")
    key = {"Idempotency-Key": "once"}
    job = indexer.submit("acknowledged", documents, headers=key)
    indexer.restart(indexer.api)
    eventually(lambda: indexer.job(job)["id"] == job)
    indexer.await_ready()
    assert indexer.submit("acknowledged", documents, headers=key) == job
    assert indexer.ended(job)["state"] == "succeeded"
    assert indexer.ids("acknowledged") == sorted(item["id"] for item in documents)
    other = indexer.client.post(
        "/index-jobs", params={"collection": "acknowledged"}, content=b'{"id":"x"}\n', headers=key
    )
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
