"""A collection gets another encoder while people search and write: no gap, nothing mixed."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from tests.engines.cluster import ClusterSystem
from tests.indexer.installation import documents
from tests.waiting import eventually
from xunwen import ApiError, Client, Document

QUERY = {"query": "文献", "rank": False, "top_k": 10, "budget_ms": 30_000}
CLIENTS = 4
SECONDS = 1_800
"""Time in which a job of 5,000 documents ends on a busy machine."""
BESIDE = 30
"""Documents of a job that runs beside the rebuild."""


@dataclass
class Seen:
    """What one client saw."""

    answers: int = 0
    failed: list[str] = field(default_factory=list)
    degraded: list[object] = field(default_factory=list)
    mixed: list[list[str]] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    """First letters of ids, in the order in which they came to answer."""


@contextmanager
def searching(system: ClusterSystem, collection: str, modes: list[str]) -> Iterator[list[Seen]]:
    """Each client asks in its mode, half of them past the cache, while the block runs."""
    seen, ended = [Seen() for _ in range(CLIENTS)], threading.Event()

    def ask(number: int) -> None:
        mine, mode = seen[number], modes[number % len(modes)]
        headers = {"cache-control": "no-cache"} if number % 2 else {}
        with httpx.Client(base_url=system.gateways[number % 2], timeout=60) as http:
            while not ended.wait(0.05):
                body = QUERY | {"collection": collection, "mode": mode}
                answer = http.post("/v1/search", json=body, headers=headers)
                mine.answers += 1
                if answer.status_code != 200 or not answer.json()["hits"]:
                    mine.failed.append(answer.text)
                    continue
                if "dense" in answer.json()["degraded"]:
                    mine.degraded.append(answer.json()["degraded"])
                letters = {hit["id"][0] for hit in answer.json()["hits"]} - {"x"}
                if len(letters) > 1:
                    mine.mixed.append(sorted(letters))
                elif letters and mine.indexes[-1:] != list(letters):
                    mine.indexes += letters

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def change(system: ClusterSystem, count: int) -> None:
    indexer, (old, new) = system.installation, system.encoders
    name = f"changed{count}"
    lexical = indexer.milvus.url.startswith("http") and "local" in str(indexer.folder)
    modes = ["dense", "hybrid", "lexical", "dense"] if lexical else ["dense", "hybrid"]
    first = indexer.submit(name, documents(count, "a"))
    indexer.succeeded(first, SECONDS)
    started = time.monotonic()
    with searching(system, name, modes) as seen, Client(system.gateways[0]) as client:
        assert client.collection(name).encoder == old
        job = indexer.submit(name, documents(count, "b"), mode="rebuild", encoder=new)
        indexer.indexed(job, 1)
        client.put(Document(id="x-put", title="第0篇文献"), collection=name)
        put_before = indexer.job(job)["state"] == "running"
        beside = indexer.submit(name, documents(BESIDE, "x"))
        indexer.succeeded(beside, SECONDS)
        both = indexer.job(job)["state"] == "running"
        indexer.succeeded(job, SECONDS)
        assert client.collection(name).encoder == new
        eventually(lambda: all(each.indexes == ["a", "b"] for each in seen))
        took = time.monotonic() - started
        ids = {f"x{n}" for n in range(BESIDE)} | {"x-put"}
        assert set(indexer.ids(name)) == {f"b{n}" for n in range(count)} | ids
        client.rollback(name)
        assert client.collection(name).encoder == old
        eventually(lambda: all(each.indexes == ["a", "b", "a"] for each in seen))
        if both:  # the job ended before the switch, so it wrote into both indexes
            assert set(indexer.ids(name)) == {f"a{n}" for n in range(count)} | ids
        if put_before:
            assert "x-put" in indexer.ids(name)
        client.rollback(name)
        eventually(lambda: all(each.indexes == ["a", "b", "a", "b"] for each in seen))
        # Written by the new encoder: nothing else is left to write by.
        client.put(Document(id="x-late", title="第0篇文献"), collection=name)
        assert "x-late" in indexer.ids(name)
    for each in seen:
        assert (each.failed, each.degraded, each.mixed) == ([], [], [])
    with Client(system.gateways[0]) as client:
        client.delete_collection(name)
    answers = sum(each.answers for each in seen)
    print(
        f"\n{count} documents in {took:.0f} s under {CLIENTS} clients: {answers} answers, whole;"
        f" a job beside wrote into {'both indexes' if both else 'the new one'}"
    )


def test_no_search_notices_a_change_of_encoder(system: ClusterSystem) -> None:
    change(system, 300)


@pytest.mark.soak
def test_no_search_notices_a_change_of_encoder_of_5000_documents(system: ClusterSystem) -> None:
    change(system, 5_000)


def test_a_collection_names_its_encoder(local: ClusterSystem) -> None:
    """It keeps it over rebuilds, until one names another."""
    default, other = local.encoders
    name = "named"
    with Client(local.gateways[0]) as client:
        assert client.create_collection(name, encoder=other).encoder == other
        client.put(Document(id="1", title="企业文化"), collection=name)
        assert [hit.id for hit in client.search("企业文化", collection=name).hits] == ["1"]
        assert client.wait(client.rebuild(name).job_id).state == "succeeded"
        assert client.collection(name).encoder == other
        assert client.wait(client.rebuild(name, encoder=default).job_id).state == "succeeded"
        assert client.wait(client.rebuild(name).job_id).state == "succeeded"
        assert client.collection(name).encoder == default
        with pytest.raises(ApiError, match="not installed"):
            client.rebuild(name, encoder="0" * 16)
        client.delete_collection(name)
        assert client.create_collection(name).encoder == default
        client.delete_collection(name)
