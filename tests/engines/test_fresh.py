"""A confirmed write is found by the next search, also where reads lag behind writes."""

import statistics
import time

import httpx
import pytest

from tests.engines.cluster import ClusterSystem
from tests.gateway.no_stale import run

SEARCH = {"query": "数学", "mode": "dense", "rank": False, "top_k": 50, "budget_ms": 30_000}
KEPT = 8
"""Documents that are there at a time, so that each can be among the hits."""


def found(http: httpx.Client, collection: str) -> tuple[set[str], float]:
    """The ids of a search, which a cache may answer, and its milliseconds."""
    started = time.perf_counter()
    answer = http.post("/v1/search", json=SEARCH | {"collection": collection})
    took = (time.perf_counter() - started) * 1000
    assert answer.status_code == 200, answer.text
    return {hit["id"] for hit in answer.json()["hits"]}, took


def write_and_search(cluster: ClusterSystem, collection: str, times: int) -> None:
    """Each write is followed by a search through the gateway that did not pass it on."""
    one, other = (httpx.Client(base_url=url, timeout=60) for url in cluster.gateways)
    documents = f"/v1/collections/{collection}/documents"
    missed, shown, milliseconds = [], [], []
    with one, other:
        for n in range(times):
            put = one.put(f"{documents}/d{n}", json={"title": f"数学{n}"})
            put.raise_for_status()
            ids, took = found(other, collection)
            milliseconds.append(took)
            if f"d{n}" not in ids:
                missed.append(n)
            if n >= KEPT:
                one.delete(f"{documents}/d{n - KEPT}").raise_for_status()
                ids, took = found(other, collection)
                milliseconds.append(took)
                if f"d{n - KEPT}" in ids:
                    shown.append(n - KEPT)
        one.delete(f"/v1/collections/{collection}").raise_for_status()
    print(
        f"{times} PUT, {max(times - KEPT, 0)} DELETE: {len(missed)} missed, {len(shown)} shown"
        f" after deletion; search p50 {statistics.median(milliseconds):.0f} ms,"
        f" slowest {max(milliseconds):.0f}"
    )
    assert (missed, shown) == ([], [])


def test_a_write_is_found_and_a_deletion_hides(cluster: ClusterSystem) -> None:
    write_and_search(cluster, "fresh", KEPT + 6)


@pytest.mark.soak
def test_a_write_is_found_and_a_deletion_hides_500_times(cluster: ClusterSystem) -> None:
    write_and_search(cluster, "fresh_500", 500 + KEPT)


def test_no_stale_answer(cluster: ClusterSystem) -> None:
    run(*cluster.gateways, examples=1, steps=5, mode="dense")


@pytest.mark.soak
def test_no_stale_answer_at_full_size(cluster: ClusterSystem) -> None:
    run(*cluster.gateways, examples=10, steps=20, mode="dense")
