"""Rebuilds: searches go on throughout, from one generation at a time; killed, they resume."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.indexer.installation import Installation, documents, literature
from tests.waiting import eventually


@dataclass
class Load:
    """What searches saw."""

    answers: int = 0
    failed: list[str] = field(default_factory=list)
    mixed: list[list[str]] = field(default_factory=list)
    generations: list[str] = field(default_factory=list)
    """Prefixes of ids, in the order in which they came to answer."""


@contextmanager
def searches(indexer: Installation, collection: str, per_second: float) -> Iterator[Load]:
    """Asks at a steady rate while the block runs."""
    load, ended = Load(), threading.Event()

    def ask() -> None:
        like = indexer.search
        with httpx.Client(base_url=like.base_url, headers=like.headers, timeout=60) as client:
            while not ended.wait(1 / per_second):
                body = {"query": "文献", "collection": collection, "top_n": 10}
                response = client.post("/search", json=body)
                load.answers += 1
                if response.status_code != 200 or not response.json()["candidates"]:
                    load.failed.append(response.text)
                    continue
                prefixes = {hit["id"][0] for hit in response.json()["candidates"]}
                if len(prefixes) != 1:
                    load.mixed.append(sorted(prefixes))
                elif load.generations[-1:] != list(prefixes):
                    load.generations += prefixes

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield load
    finally:
        ended.set()
        thread.join()


def capacity(indexer: Installation, collection: str, seconds: float = 1.5) -> float:
    """Searches a second of one caller who never pauses."""
    body = {"query": "文献", "collection": collection, "top_n": 10}
    started, answers = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        indexer.search.post("/search", json=body).raise_for_status()
        answers += 1
    return answers / (time.monotonic() - started)


def filled(indexer: Installation, collection: str, lines: list[dict[str, Any]]) -> None:
    indexer.succeeded(indexer.submit(collection, lines))


def test_searches_answer_throughout_a_rebuild_and_a_rollback(indexer: Installation) -> None:
    filled(indexer, "rebuilt", documents(300, "a"))
    new = documents(300, "b")
    rate = capacity(indexer, "rebuilt") / 2
    with searches(indexer, "rebuilt", rate) as load:
        job = indexer.submit("rebuilt", new, mode="rebuild")
        indexer.succeeded(job)
        eventually(lambda: load.generations == ["a", "b"])
        indexer.client.post("/collections/rebuilt:rollback").raise_for_status()
        eventually(lambda: load.generations == ["a", "b", "a"])
        assert indexer.ids("rebuilt") == sorted(f"a{n}" for n in range(300))
        indexer.client.post("/collections/rebuilt:rollback").raise_for_status()
        eventually(lambda: load.generations == ["a", "b", "a", "b"])
    assert load.failed == []
    assert load.mixed == []
    assert indexer.ids("rebuilt") == sorted(item["id"] for item in new)
    print(f"\nrebuild, rollbacks under {rate:.0f} searches/s: {load.answers} answers, all whole")

    # A third generation: the oldest is collected.
    job = indexer.submit("rebuilt", documents(60, "c"), mode="rebuild")
    indexer.succeeded(job)
    assert len(indexer.physicals("rebuilt")) == 2


def test_a_rebuild_that_is_killed_half_way_resumes_with_the_writes_beside_it(
    indexer: Installation,
) -> None:
    filled(indexer, "halfway", documents(60, "a"))
    new = literature(800, "b")
    job = indexer.submit("halfway", new, mode="rebuild")
    indexer.indexed(job, 100)
    indexer.api.kill()
    assert indexer.found("halfway", "文献")[0].startswith("a")  # the old one answers
    indexer.api.start()
    indexer.restart(indexer.worker)

    url, body = "/collections/halfway/documents", {"title": "beside", "text": "", "fields": {}}

    def put() -> bool:
        try:
            return indexer.client.put(f"{url}/b799", json=body).is_success
        except httpx.HTTPError:
            return False

    eventually(put)  # at the first moment at which it is accepted again
    assert indexer.job(job)["state"] == "running"
    indexer.client.put(f"{url}/extra", json=body).raise_for_status()
    indexer.client.delete(f"{url}/b798").raise_for_status()
    indexer.succeeded(job)
    rows = {row.id: row.document.title for row in indexer.rows("halfway")}
    assert set(rows) == {item["id"] for item in new} - {"b798"} | {"extra"}
    assert rows["b799"] == rows["extra"] == "beside"
    assert len(indexer.physicals("halfway")) == 2


def test_a_cancelled_rebuild_leaves_nothing_and_starts_over_when_retried(
    indexer: Installation,
) -> None:
    filled(indexer, "abandoned", documents(60, "a"))
    new = literature(600, "b")
    job = indexer.submit("abandoned", new, mode="rebuild")
    indexer.indexed(job, 50)
    again = indexer.client.post("/collections/abandoned:rebuild")
    assert again.status_code == 409
    indexer.client.post(f"/index-jobs/{job}:cancel").raise_for_status()
    ended = indexer.ended(job)
    assert (ended["state"], ended["counts"]["indexed"]) == ("cancelled", 0)
    assert len(indexer.physicals("abandoned")) == 1
    assert indexer.ids("abandoned") == sorted(f"a{n}" for n in range(60))

    indexer.client.post(f"/index-jobs/{job}:retry").raise_for_status()
    indexer.succeeded(job)
    assert indexer.ids("abandoned") == sorted(item["id"] for item in new)


def test_a_collection_is_rebuilt_out_of_itself(indexer: Installation) -> None:
    filled(indexer, "itself", documents(200, "a"))
    before = {(row.id, row.document.title, row.version) for row in indexer.rows("itself")}
    job = indexer.rebuild("itself")
    indexer.succeeded(job)
    assert {(row.id, row.document.title, row.version) for row in indexer.rows("itself")} == before
    assert len(indexer.physicals("itself")) == 2
