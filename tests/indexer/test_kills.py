"""One job while everything it needs is killed: each document is in once, and found."""

import os
import random
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.common.collection import passages_name
from tests.indexer.installation import Installation, Program, installation, literature
from tests.milvus import on_connection
from tests.servers import Server
from tests.waiting import eventually

SOAK_DOCUMENTS = int(os.environ.get("XUNWEN_SOAK_DOCUMENTS", "100000"))


def survive(indexer: Installation, count: int, worker_kills: int, collection: str) -> None:
    """Kills at random places of one job: the worker often, every other server once."""
    documents = literature(count)
    chance = random.Random(count)
    kills = ["worker"] * worker_kills + ["api", "broker", "milvus"]
    chance.shuffle(kills)
    places = sorted(chance.uniform(0.0, 0.85) for _ in kills)
    parts: dict[str, Program | Server] = {
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


def test_no_long_document_is_half_there_after_every_part_was_killed(
    indexer: Installation,
) -> None:
    count, chance = 30, random.Random(7)
    papers = literature(count, "l")
    generations = [
        [one | {"text": "", "body": f"{turn}：{one['text']}\n" * (30 + 9 * turn)} for one in papers]
        for turn in range(2)
    ]
    indexer.succeeded(indexer.submit("long", generations[0]))
    job = indexer.submit("long", generations[1])
    for part in (indexer.worker, indexer.milvus, indexer.api, indexer.milvus):
        time.sleep(chance.uniform(0.2, 1.0))
        indexer.restart(part)
        for one in chance.sample(range(count), 5):
            bodies = [documents[one]["body"] for documents in generations]
            assert _stored(indexer, f"l{one}")["body"] in bodies
    assert indexer.ended(job, seconds=300)["counts"]["indexed"] == count
    for document in generations[1]:
        assert _stored(indexer, document["id"])["body"] == document["body"]
    indexer.restart(indexer.api)  # its first pass deletes what the kills left
    indexer.await_ready()
    passages = sum(_stored(indexer, one["id"])["passage_count"] for one in papers)
    eventually(lambda: _passages(indexer, "long") == passages)


def _stored(indexer: Installation, identity: str) -> dict[str, Any]:
    """A document, once the parts that were killed are there again."""
    path = f"/collections/long/documents/{identity}"
    found: dict[str, Any] = {}

    def answers() -> bool:
        with suppress(httpx.TransportError):
            response = indexer.client.get(path)
            if response.is_success:
                found.update(response.json())
        return bool(found)

    eventually(answers, 120)
    return found


def _passages(indexer: Installation, collection: str) -> int:
    """Passages in the index, those that nobody finds included."""
    name = passages_name(indexer.client.get(f"/collections/{collection}").json()["index"])
    rows = on_connection(
        indexer.milvus.url,
        lambda connection: connection.ask(
            "count",
            lambda client: client.query(
                name, filter="", output_fields=["count(*)"], consistency_level="Strong"
            ),
            30,
            name,
        ),
    )
    return int(rows[0]["count(*)"])


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
    indexer.succeeded(job)
    assert indexer.ids("acknowledged") == sorted(item["id"] for item in documents)
    other = indexer.client.post(
        "/index-jobs", params={"collection": "acknowledged"}, content=b'{"id":"x"}\n', headers=key
    )
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
