"""kill -9 of Milvus, and of recall seconds later: the search after a /readyz of 200 is answered."""

import os
import random
import signal
import time

import httpx
import pytest

from tests.stack import Stack

PARTS = ("milvus", "recall")
PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds between the two kills."""
SECONDS = 120.0


def ready_again(http: httpx.Client, stack: Stack, killed: dict[str, int]) -> float:
    """Returns the seconds until both parts were replaced and /readyz answered 200."""
    began = time.monotonic()
    while True:
        replaced = all(stack.pid_of(part) not in (0, pid) for part, pid in killed.items())
        if replaced and http.get("/readyz").is_success:
            return time.monotonic() - began
        assert time.monotonic() - began < SECONDS, http.get("/readyz").text
        time.sleep(0.02)


def kill_and_search(stack: Stack, rounds: int) -> None:
    """Each round searches once, at the first /readyz of 200 and without trying again."""
    chance, failed, seconds = random.Random(1), [], []
    stack.await_ready()
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        for number in range(rounds):
            killed = {}
            for part in PARTS:
                killed[part] = stack.pid_of(part)
                os.kill(killed[part], signal.SIGKILL)
                if part == PARTS[0]:
                    time.sleep(chance.choice(PAUSES))
            seconds.append(ready_again(http, stack, killed))
            body = {
                "query": f"第{number}次重新启动之后的检索 {time.time_ns()}",
                "budget_ms": 30_000,
            }
            answer = http.post("/v1/search", json=body)
            if answer.status_code != 200 or not answer.json()["hits"]:
                failed.append((number, answer.status_code, answer.text[:300]))
            stack.await_ready()
    print(
        f"\n{rounds} rounds: ready again after {min(seconds):.1f} to {max(seconds):.1f} s,"
        f" {len(failed)} searches failed {failed}"
    )
    assert failed == []


def test_a_search_after_readiness_is_answered(stack: Stack) -> None:
    kill_and_search(stack, 2)


@pytest.mark.soak
def test_a_search_after_readiness_is_answered_100_times(stack: Stack) -> None:
    kill_and_search(stack, 100)
