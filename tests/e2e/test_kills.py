"""kill -9 of each part in turn: it is named, it comes back, nothing is lost."""

import os
import signal
import time

import httpx
import pytest

from tests.stack import Stack
from xunwen import Client, Document
from xunwen.embedded.supervision import Supervisor

SECONDS = 60.0
PATIENT_MS = 30_000


def pid_of(system: Stack, part: str) -> int:
    processes = Supervisor(system.settings).processes()
    return next(process.pid for process in processes if process.name == part)


def named_until_ready(system: Stack, part: str, killed: int) -> set[str]:
    """What /readyz named until the part was replaced and all was ready again."""
    named: set[str] = set()
    give_up = time.monotonic() + SECONDS
    with httpx.Client(base_url=system.url, timeout=5) as http:
        while time.monotonic() < give_up:
            try:
                answer = http.get("/readyz").json()
            except httpx.HTTPError:
                named.add("gateway")
                continue
            named |= {name for name, check in answer["checks"].items() if not check["ok"]}
            if answer["ready"] and pid_of(system, part) not in (0, killed):
                return named
    raise AssertionError(f"{part} did not come back; /readyz named {named}")


@pytest.mark.parametrize(
    "part", ["recall", "rank", "indexer", "worker", "milvus", "state", "cache", "gateway"]
)
def test_a_killed_part(part: str, system: Stack, client: Client) -> None:
    collection = f"kill_{part}"
    note = Document(id="1", title=f"{part} 的确认写入", text="在此之前已经确认")
    client.put(note, collection=collection)
    killed = pid_of(system, part)
    os.kill(killed, signal.SIGKILL)
    named = named_until_ready(system, part, killed)
    print(f"{part}: /readyz named {sorted(named)}")
    assert named

    assert client.get("1", collection=collection) == note
    answer = client.search("确认写入", collection=collection, budget_ms=PATIENT_MS)
    assert [hit.id for hit in answer.hits] == ["1"]
    assert answer.degraded == []
    assert client.search("中西方语言与文化的差异", budget_ms=PATIENT_MS).degraded == []
    assert client.collection("literature").count == 9000
    client.delete_collection(collection)
