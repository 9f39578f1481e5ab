"""kill -9 of Milvus, and of recall soon after: what /readyz promises at its first 200 is kept."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import pytest

from tests.stack import DOCUMENTS, PAPERS, Stack

SOAK_TURNS = int(os.environ.get("XUNWEN_SOAK_KILLS", "100"))
"""At most 120: each search needs a title that nobody has asked for."""
SEARCHES = 5
"""Searches that follow each first readiness, one after the other."""
LONGEST_PAUSE = 3.0
"""Seconds between the two kills."""
SECONDS = 120.0
BUDGET_MS = 30_000


def titles() -> Iterator[str]:
    """The titles of the papers that the stack holds, each paper's once."""
    with PAPERS.open(encoding="utf-8") as papers:
        for _ in range(DOCUMENTS):
            yield json.loads(next(papers))["title"]


@dataclass
class Turn:
    """What happened in one turn."""

    number: int
    pause: float
    """Seconds between the two kills."""
    busy: bool
    """Whether somebody else searched all the time."""
    seconds: float = 0.0
    """From the second kill to the first readiness."""
    waited_for: set[str] = field(default_factory=set)
    """What /readyz named until then."""
    took_ms: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    meanwhile: list[int] = field(default_factory=list)
    """Statuses that the other one got."""

    def __str__(self) -> str:
        statuses = {status: self.meanwhile.count(status) for status in sorted({*self.meanwhile})}
        return (
            f"{self.number:3}: {self.pause:.2f} s between the kills, ready {self.seconds:.2f} s"
            f" after the second, waited for {sorted(self.waited_for)}; searches took"
            f" {self.took_ms} ms, wrong {self.wrong}; meanwhile {statuses}"
        )


def kill(stack: Stack, part: str) -> None:
    """Returns when the process is dead."""
    process = psutil.Process(stack.pid_of(part))
    process.send_signal(signal.SIGKILL)
    process.wait(SECONDS)


def await_first_readiness(http: httpx.Client, turn: Turn) -> None:
    began = time.monotonic()
    while True:
        answer = http.get("/readyz")
        if answer.is_success:
            turn.seconds = time.monotonic() - began
            return
        checks: dict[str, Any] = answer.json()["checks"]
        turn.waited_for |= {check["detail"] for check in checks.values() if not check["ok"]}
        assert time.monotonic() - began < SECONDS, answer.text
        time.sleep(0.01)


def search(http: httpx.Client, title: str, turn: Turn) -> None:
    """A search whose answer no cache can have, and whose best hit is known."""
    began = time.monotonic()
    answer = http.post("/v1/search", json={"query": title, "budget_ms": BUDGET_MS})
    turn.took_ms.append(int(1000 * (time.monotonic() - began)))
    if answer.status_code != 200:
        turn.wrong.append(answer.text)
        return
    body = answer.json()
    if body["degraded"]:
        turn.wrong.append(f"degraded: {body['degraded']}")
    if title not in {hit["title"] for hit in body["hits"]}:
        turn.wrong.append(f"not found: {title}")
    assert answer.headers["x-cache"] == "MISS"


@contextmanager
def searching(url: str, turn: Turn) -> Iterator[None]:
    """Somebody else asks one new question after the other while the block runs, if it is busy."""
    ended = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=60) as http:
            while not ended.wait(0.05):
                body = {"query": f"另一位读者的问题 {time.time_ns()}", "rank": False}
                turn.meanwhile.append(http.post("/v1/search", json=body).status_code)

    thread = threading.Thread(target=ask)
    if turn.busy:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if turn.busy:
            thread.join()


def kill_and_search(stack: Stack, turns: int) -> None:
    chance, asked = random.Random(1), titles()
    failed = []
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        for number in range(1, turns + 1):
            stack.await_ready()
            turn = Turn(number, chance.uniform(0, LONGEST_PAUSE), busy=number % 2 == 0)
            with searching(stack.url, turn):
                kill(stack, "milvus")
                time.sleep(turn.pause)
                kill(stack, "recall")
                await_first_readiness(http, turn)
                for _ in range(SEARCHES):
                    search(http, next(asked), turn)
            print(turn, flush=True)
            if turn.wrong:
                failed.append(turn)
    assert failed == []


def test_a_search_at_the_first_readiness_is_answered(stack: Stack) -> None:
    kill_and_search(stack, 2)


@pytest.mark.soak
def test_every_search_at_the_first_readiness_is_answered(stack: Stack) -> None:
    kill_and_search(stack, SOAK_TURNS)
