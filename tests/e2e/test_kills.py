"""kill -9 of each part in turn: it is named, it comes back, nothing is lost."""

import os
import signal
import time

import httpx
import pytest

from tests.stack import DOCUMENTS, Stack
from xunwen import Client, Document
from xunwen.client import ApiError, SearchAnswer

SECONDS = 60.0
PATIENT_MS = 30_000
BACK_AT_ONCE = ("state", "cache", "worker")
"""The supervisor starts these again before anybody can notice; the others load a model or data."""


def named_until_ready(stack: Stack, part: str, killed: int) -> set[str]:
    """What /readyz named until the part was replaced and all was ready again."""
    named: set[str] = set()
    give_up = time.monotonic() + SECONDS
    with httpx.Client(base_url=stack.url, timeout=5) as http:
        while time.monotonic() < give_up:
            try:
                answer = http.get("/readyz").json()
            except httpx.HTTPError:
                named.add("gateway")
                continue
            named |= {name for name, check in answer["checks"].items() if not check["ok"]}
            # Ready is also a gateway without rank or caches: all of it must be back.
            whole = all(check["ok"] for check in answer["checks"].values())
            if whole and stack.pid_of(part) not in (0, killed):
                return named
    raise AssertionError(f"{part} did not come back; /readyz named {named}")


def answered_in_full(client: Client, query: str, collection: str = "literature") -> SearchAnswer:
    """The first answer that every stage took part in: a breaker probes every two seconds."""
    give_up = time.monotonic() + SECONDS
    while True:
        try:
            answer = client.search(query, collection=collection, budget_ms=PATIENT_MS)
        except ApiError as error:
            if error.status != 503:
                raise
        else:
            if not answer.degraded:
                return answer
        assert time.monotonic() < give_up


@pytest.mark.parametrize(
    "part", ["recall", "rank", "indexer", "worker", "milvus", "state", "cache", "gateway"]
)
def test_a_killed_part(part: str, stack: Stack, client: Client) -> None:
    collection = f"kill_{part}"
    note = Document(id="1", title=f"{part} 的确认写入", text="在此之前已经确认")
    client.put(note, collection=collection)
    killed = stack.pid_of(part)
    os.kill(killed, signal.SIGKILL)
    named = named_until_ready(stack, part, killed)
    print(f"{part}: /readyz named {sorted(named)}")
    assert named or part in BACK_AT_ONCE

    assert client.get("1", collection=collection).model_dump(exclude={"passage_count"}) == (
        note.model_dump()
    )
    answer = answered_in_full(client, "确认写入", collection)
    assert [hit.id for hit in answer.hits] == ["1"]
    assert len(answered_in_full(client, "中西方语言与文化的差异").hits) == 10
    assert client.collection("literature").count == DOCUMENTS
    client.delete_collection(collection)


@pytest.mark.parametrize("part", BACK_AT_ONCE)
def test_what_stays_away_is_named(part: str, stack: Stack) -> None:
    """Those that a kill brings back too fast to be seen, stopped for as long as it takes."""
    give_up = time.monotonic() + SECONDS
    with stack.without(part), httpx.Client(base_url=stack.url, timeout=5) as http:
        while True:
            checks = http.get("/readyz").json()["checks"]
            if any(not check["ok"] for check in checks.values()):
                break
            assert time.monotonic() < give_up
    print(f"{part}: {[check['detail'] for check in checks.values() if not check['ok']]}")
