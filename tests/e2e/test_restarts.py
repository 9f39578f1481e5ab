"""Starting, stopping and starting again."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from tests.e2e.foreground import foreground
from tests.proxies import DEAD_PROXIES
from tests.stack import DOCUMENTS, START_SECONDS, XUNWEN, Stack
from tests.waiting import eventually
from xunwen import Client
from xunwen.embedded.leftovers import leftovers


def up_in_foreground(stack: Stack) -> AbstractContextManager["subprocess.Popen[str]"]:
    return foreground([XUNWEN, "up"], stack.env, seconds=START_SECONDS)


@pytest.fixture(scope="module", autouse=True)
def up_again(stack: Stack) -> Iterator[None]:
    """For the tests that follow this module."""
    yield
    assert stack.xunwen("up", "--detach").returncode == 0


@pytest.fixture
def stopped(stack: Stack) -> Stack:
    """The system while it is down, and a test may leave it so."""
    if leftovers(stack.settings):  # the test before may have left it so
        ended = stack.xunwen("down")
        assert ended.returncode == 0, ended.stderr
    assert leftovers(stack.settings) == []
    return stack


def test_a_second_start_says_so(stack: Stack) -> None:
    for words in (["up"], ["up", "--detach"]):
        second = stack.xunwen(*words)
        assert second.returncode == 0
        assert "running already" in second.stdout.replace("\n", " ")
        assert stack.url in second.stdout


def test_status_shows_every_part_ready(stack: Stack) -> None:
    ran = stack.xunwen("status", "--json")
    assert ran.returncode == 0, ran.stdout
    parts = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {part["name"] for part in parts if part["ready"]} == {
        *("state", "cache", "milvus"),
        *("recall", "rank", "indexer", "worker", "gateway"),
    }
    assert "gateway" in stack.xunwen("logs", "gateway", "-n", "1").stdout


def test_a_missing_model_stops_the_start_and_leaves_nothing(stopped: Stack) -> None:
    env = {**stopped.env, "XUNWEN_RANKER": str(stopped.home)}
    ran = subprocess.run(
        [XUNWEN, "up"], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "XUNWEN_RANKER" in ran.stderr
    assert leftovers(stopped.settings) == []


def test_another_address_with_keys_and_proxies_of_the_environment(
    stopped: Stack, tmp_path: Path
) -> None:
    """The system starts and works on another address than 127.0.0.1, where nobody has a key yet,
    and asks no proxies."""
    elsewhere = {"XUNWEN_GATEWAY_HOST": "127.0.0.2", "XUNWEN_GATEWAY_REQUIRE_KEYS": "true"}
    proxied = Stack(stopped.home, {**stopped.env, **DEAD_PROXIES, **elsewhere})
    started = proxied.xunwen("up", "--detach")
    assert started.returncode == 0, started.stderr
    assert "xunwen keys create" in started.stdout
    assert "XUNWEN_API_KEY" in proxied.xunwen("search", "日均径流").stderr
    made = proxied.xunwen("keys", "create", "first", "--scope", "admin")
    proxied = Stack(proxied.home, {**proxied.env, "XUNWEN_API_KEY": made.stdout.strip()})
    file = tmp_path / "one.jsonl"
    file.write_text('{"id": "1", "title": "水文站的日均径流"}', encoding="utf-8")
    for words in (
        ["index", str(file), "--collection", "proxied"],
        ["search", "日均径流", "--collection", "proxied"],
        ["status"],
        ["keys", "revoke", "first"],
        ["down"],
    ):
        ran = proxied.xunwen(*words)
        assert ran.returncode == 0, f"{words}\n{ran.stdout}{ran.stderr}"
    assert proxied.url.startswith("http://127.0.0.2:")


def test_a_start_in_the_background_that_is_ended_leaves_nothing(stopped: Stack) -> None:
    with subprocess.Popen(
        [XUNWEN, "up", "--detach"], env=stopped.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        # supervisord and its first parts
        eventually(lambda: len(leftovers(stopped.settings)) >= 3, START_SECONDS)
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_SECONDS) == 1
        assert process.stderr is not None
        assert process.stderr.read() == b"xunwen: Stopped before everything was ready.\n"
    assert leftovers(stopped.settings) == []


def test_data_survive_and_are_not_indexed_again(stopped: Stack) -> None:
    with up_in_foreground(stopped) as process, Client(stopped.url) as client:
        (collection,) = [c for c in client.collections() if c.name == "literature"]
        assert collection.count == DOCUMENTS
        assert len([job for job in client.jobs() if job.collection == "literature"]) == 1
        assert client.search("中西方语言与文化的差异", budget_ms=30_000).degraded == []
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert leftovers(stopped.settings) == []


def test_a_killed_launcher_blocks_nothing(stopped: Stack) -> None:
    """Last: what it starts goes on for the tests of other modules."""
    with up_in_foreground(stopped) as process:
        parts = leftovers(stopped.settings)
        assert len(parts) >= 9
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    again = stopped.xunwen("up", "--detach")
    assert again.returncode == 0, again.stderr
    assert not any(part.is_running() and part.status() != psutil.STATUS_ZOMBIE for part in parts)
    with Client(stopped.url) as client:
        assert client.collection("literature").count == DOCUMENTS
