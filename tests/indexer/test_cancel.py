"""Cancelling a running job: quickly, and with an exact account of what is in."""

import json
import os
import signal
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.indexer.installation import Installation, documents, installation, literature

STATED_SECONDS = 2.0
SOAK_DOCUMENTS = int(os.environ.get("XUNWEN_SOAK_DOCUMENTS", "100000"))


def cancel(indexer: Installation, count: int, collection: str) -> float:
    """Seconds from the call until the job had ended; what it says is what is there."""
    wanted = literature(count, "c")
    job = indexer.submit(collection, wanted)
    indexer.indexed(job, 100)
    started = time.monotonic()
    assert indexer.client.post(f"/index-jobs/{job}:cancel").status_code == 200
    ended = indexer.ended(job)
    seconds = time.monotonic() - started
    assert ended["state"] == "cancelled"
    ids = indexer.ids(collection)
    assert ended["counts"]["indexed"] == len(ids)
    assert 0 < len(ids) < count
    assert set(ids) < {item["id"] for item in wanted}
    print(f"\ncancelled after {seconds:.2f} s with {len(ids):,} of {count:,} documents in")

    # Nothing comes in afterwards, and a retry does the rest.
    after = indexer.submit(f"{collection}_after", documents(1))
    indexer.succeeded(after)
    assert indexer.ids(collection) == ids
    assert indexer.client.post(f"/index-jobs/{job}:retry").status_code == 202
    indexer.succeeded(job, 3600)
    assert indexer.ids(collection) == sorted(item["id"] for item in wanted)
    return seconds


def test_a_cancelled_job_says_exactly_what_is_in(indexer: Installation) -> None:
    cancel(indexer, 1000, "cancelled")


@pytest.mark.soak
def test_a_large_job_is_cancelled_within_two_seconds(tmp_path: Path) -> None:
    with installation(tmp_path, part_documents=1000, lease_seconds=30) as large:
        assert cancel(large, SOAK_DOCUMENTS, "cancelled") < STATED_SECONDS


def test_a_small_job_passes_a_large_one(indexer: Installation) -> None:
    large = indexer.submit("night", literature(2000, "n"))
    indexer.indexed(large, 50)
    small = indexer.submit("small", documents(5))
    indexer.succeeded(small)
    finished = [datetime.fromisoformat(indexer.ended(job)["finished_at"]) for job in (small, large)]
    print(f"the small one ended {finished[1] - finished[0]} before the large one")
    assert finished[0] < finished[1]


def test_progress_is_streamed_until_the_end(indexer: Installation) -> None:
    job = indexer.submit("streamed", literature(300, "e"))
    states, indexed = [], []
    with indexer.client.stream("GET", f"/index-jobs/{job}/events", timeout=120) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                told = json.loads(line.removeprefix("data: "))
                states.append(told["state"])
                indexed.append(told["counts"]["indexed"])
    assert states[-1] == "succeeded"
    assert indexed == sorted(indexed)
    assert indexed[-1] == 300
    assert len(indexed) > 2

    pages, after = [], None
    while True:
        params: dict[str, Any] = {"limit": 2, "state": "succeeded"}
        if after is not None:
            params["after"] = after
        page = indexer.client.get("/index-jobs", params=params).json()
        pages += [one["id"] for one in page["jobs"]]
        after = page["next"]
        if after is None:
            break
    assert pages == sorted(set(pages), reverse=True)
    assert job in pages


def test_who_follows_a_job_does_not_hold_up_the_end_of_the_indexer(indexer: Installation) -> None:
    """Nothing can be written until the next one runs."""
    indexer.worker.signal(signal.SIGSTOP)  # The job stays as it is.
    job = indexer.submit("followed", literature(60, "f"))
    with indexer.client.stream("GET", f"/index-jobs/{job}/events", timeout=120) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("event: progress")
        began = time.monotonic()
        indexer.api.stop()
        took = time.monotonic() - began
        assert not any('"succeeded"' in line for line in lines)
    indexer.api.start()
    indexer.worker.signal(signal.SIGCONT)
    assert took < 15  # The drain lasts 32 s.
    indexer.succeeded(job)


def test_deletes_and_updates_beside_a_job_win_over_it(indexer: Installation) -> None:
    wanted = literature(1000, "r")
    url = "/collections/raced/documents"
    job = indexer.submit("raced", wanted)
    indexer.indexed(job, 50)
    # The last lines of the file are not in yet; the job carries older versions of them.
    deleted = [f"r{n}" for n in (1, 500, 997, 998)]
    for identity in deleted:
        indexer.client.delete(f"{url}/{identity}").raise_for_status()
    updated = ["r0", "r600", "r996", "r999"]
    for identity in updated:
        body = {"title": "newer", "text": "", "fields": {}}
        indexer.client.put(f"{url}/{identity}", json=body).raise_for_status()
    indexer.succeeded(job)
    rows = {row.id: row.document.title for row in indexer.rows("raced")}
    assert set(rows) == {item["id"] for item in wanted} - set(deleted)
    assert {identity for identity, title in rows.items() if title == "newer"} == set(updated)


def test_two_jobs_over_the_same_ids_end_with_the_newer(indexer: Installation) -> None:
    jobs: list[str] = []
    for turn in range(3):
        lines = [{"id": f"o{n}", "title": f"turn {turn}"} for n in range(200)]
        jobs.append(indexer.submit("overlapping", lines))
    for job in jobs:
        indexer.succeeded(job)
    rows = {row.id: row.document.title for row in indexer.rows("overlapping")}
    assert rows == {f"o{n}": "turn 2" for n in range(200)}


def test_a_key_sent_twice_at_once_makes_one_job(indexer: Installation) -> None:
    made: list[str] = []

    def send() -> None:
        with httpx.Client(base_url=indexer.client.base_url, timeout=60) as client:
            response = client.post(
                "/index-jobs",
                params={"collection": "keyed"},
                content=b'{"id":"a","title":"t"}\n',
                headers={"Idempotency-Key": "at once"},
            )
        made.append(response.json()["job_id"])

    threads = [threading.Thread(target=send) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert len(made) == 5
