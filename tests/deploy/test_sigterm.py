"""SIGTERM to the real services while they work: no request is lost, and no part of a job."""

import itertools
import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any

import httpx
import pytest

from tests.deploy.conftest import PART_DOCUMENTS, Observed
from tests.stack import PAPERS, Stack
from tests.waiting import eventually

SECONDS = 120.0
CALLERS = 4
CANDIDATE = {"id": "1", "title": "图像分割", "text": "一种方法", "fields": {}, "score": 1.0}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "gateway": ("/v1/search", {"collection": "literature", "rank": False, "budget_ms": 30_000}),
    "recall": ("/search", {"collection": "literature", "top_n": 20}),
    "rank": ("/rank", {"candidates": [CANDIDATE]}),
}


def address(stack: Stack, service: str) -> str:
    return f"http://127.0.0.1:{getattr(stack.settings, f'{service}_port')}"


def terminate(stack: Stack, part: str) -> int:
    pid = stack.pid_of(part)
    os.kill(pid, signal.SIGTERM)
    return pid


def back(stack: Stack, part: str, old: int) -> None:
    """Waits for the process that the supervisor starts in its place, and for all to be ready."""

    def ready() -> bool:
        try:
            checks = httpx.get(f"{stack.url}/readyz", timeout=10).json()["checks"]
        except (httpx.HTTPError, ValueError):
            return False
        return all(check["ok"] for check in checks.values())

    eventually(lambda: stack.pid_of(part) not in (0, old), SECONDS, lambda: part)
    eventually(ready, SECONDS, lambda: part)


class Caller(threading.Thread):
    """Asks over one kept connection until an answer says to close it."""

    numbers = itertools.count()

    def __init__(self, base: str, path: str, body: dict[str, Any]) -> None:
        super().__init__()
        self.base, self.path, self.body = base, path, body
        self.answers = 0
        self.failure = ""

    def run(self) -> None:
        with httpx.Client(base_url=self.base, timeout=60) as http:
            while not self.failure:
                query = f"第 {next(self.numbers)} 个问题"
                try:
                    answer = http.post(self.path, json={"query": query, **self.body})
                    answer.raise_for_status().json()
                except (httpx.HTTPError, ValueError) as error:
                    self.failure = f"after {self.answers} answers: {error!r}"
                    return
                self.answers += 1
                if answer.headers.get("connection") == "close":
                    return


@pytest.mark.parametrize("service", list(REQUESTS))
def test_no_request_is_lost(observed: Observed, service: str) -> None:
    stack = observed.stack
    callers = [Caller(address(stack, service), *REQUESTS[service]) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    eventually(lambda: all(one.answers > 1 or one.failure for one in callers), SECONDS)
    old = terminate(stack, service)
    for caller in callers:
        caller.join(SECONDS)
    print(f"{service}: {sum(caller.answers for caller in callers)} answers up to the end")
    assert [caller.failure for caller in callers] == [""] * CALLERS
    back(stack, service, old)


def test_no_part_is_lost(observed: Observed) -> None:
    """The worker first, then the indexer, each while parts of the job are on their way."""
    stack = observed.stack
    count = 16 * PART_DOCUMENTS
    with PAPERS.open(encoding="utf-8") as papers:
        lines = "".join(islice(papers, 200, 200 + count))
    accepted = httpx.post(
        f"{stack.url}/v1/index-jobs?collection=sigterm&format=jsonl",
        content=lines.encode(),
        headers={"content-type": "application/x-ndjson"},
        timeout=60,
    ).raise_for_status()
    path = f"/v1/index-jobs/{accepted.json()['job_id']}"
    job: dict[str, Any] = {}

    def seen(condition: Callable[[dict[str, Any]], bool]) -> bool:
        answer = httpx.get(f"{stack.url}{path}", timeout=60)
        if answer.status_code == 200:  # while the indexer is away it is 503
            job.update(answer.json())
        return bool(job) and condition(job)

    def further(done: int, job: dict[str, Any]) -> bool:
        return int(job["counts"]["indexed"]) > done

    for part in ("worker", "indexer"):
        done = job.get("counts", {}).get("indexed", 0)
        eventually(partial(seen, partial(further, done)), SECONDS, lambda: job)
        assert job["state"] == "running", "the job is over before the signal"
        back(stack, part, terminate(stack, part))
    eventually(
        lambda: seen(lambda j: j["state"] not in ("queued", "running")), SECONDS, lambda: job
    )
    assert job["state"] == "succeeded", job
    assert job["counts"] == {"read": count, "indexed": count, "rejected": 0, "deduplicated": 0}
    assert httpx.get(f"{stack.url}{path}/errors").text == ""
    assert httpx.get(f"{stack.url}/v1/collections/sigterm").json()["count"] == count
