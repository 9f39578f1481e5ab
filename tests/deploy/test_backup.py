"""Backup and restore with the very commands of docs/operations.md, on a real system."""

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.deploy.conftest import Observed
from tests.deploy.manifests import ROOT
from tests.docs.blocks import blocks
from tests.servers import valkey
from tests.stack import XUNWEN, Stack

PAGE = ROOT / "docs/operations.md"
KEPT = {"title": "备份之前写入", "text": "恢复之后仍在"}
LATER = {"title": "备份之后写入", "text": "恢复之后不在"}


def document(stack: Stack, name: str) -> str:
    return f"{stack.url}/v1/collections/saved/documents/{name}"


def put(stack: Stack, name: str, body: dict[str, str]) -> None:
    httpx.put(document(stack, name), json=body, timeout=60).raise_for_status()


def contents(stack: Stack) -> dict[str, Any]:
    """What a user would miss: counts, hits of a search, the jobs."""
    with httpx.Client(base_url=f"{stack.url}/v1", timeout=60) as http:
        query = {"query": "卷积神经网络", "rank": False, "budget_ms": 30_000}
        answer = http.post("/search", json=query).raise_for_status().json()
        collections = http.get("/collections").raise_for_status().json()["collections"]
        jobs = http.get("/index-jobs").raise_for_status().json()["jobs"]
    return {
        "counts": {each["name"]: each["count"] for each in collections},
        "hits": [hit["id"] for hit in answer["hits"]],
        "jobs": {job["id"]: (job["state"], job["counts"]) for job in jobs},
    }


def follow_the_page(stack: Stack, folder: Path) -> None:
    """The two blocks of the page: backup, and restore after the data are lost."""
    commands = [one.code for one in blocks(PAGE) if one.tested_by == "tests/deploy/test_backup.py"]
    assert len(commands) == 2
    backup, restore = (re.sub(r"\bvar\b", str(stack.home), code) for code in commands)
    environment = {**stack.env, "PATH": f"{XUNWEN.parent}:{stack.env['PATH']}"}

    def run(code: str) -> None:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", code],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{code}\n{done.stdout}{done.stderr}"

    run(backup)
    put(stack, "later", LATER)
    run(restore)


@pytest.mark.soak
def test_a_restored_system_is_as_it_was(observed: Observed, tmp_path: Path) -> None:
    stack = observed.stack
    put(stack, "kept", KEPT)
    before = contents(stack)
    follow_the_page(stack, tmp_path)
    assert contents(stack) == before
    assert httpx.get(document(stack, "kept")).json()["title"] == KEPT["title"]
    assert httpx.get(document(stack, "later")).status_code == 404
    put(stack, "after", KEPT)  # and it goes on


def test_a_copy_of_the_state_store_is_read_as_the_page_says(tmp_path: Path) -> None:
    [options] = re.findall(r"once with `([^`]+)`", PAGE.read_text(encoding="utf-8"))
    with valkey(tmp_path / "before") as server, Redis.from_url(server.url) as store:
        store.set("key", "kept")
        store.save()

    def restored(name: str) -> Path:
        directory = tmp_path / name
        (directory / "valkey").mkdir(parents=True)
        shutil.copy(tmp_path / "before/valkey/dump.rdb", directory / "valkey/state.rdb")
        return directory

    usual = ("--appendonly", "yes", "--dbfilename", "state.rdb")
    with valkey(restored("beside"), *usual) as server, Redis.from_url(server.url) as store:
        assert store.get("key") is None
    directory = restored("once")
    with valkey(directory, *options.split()) as server, Redis.from_url(server.url) as store:
        store.config_set("appendonly", "yes")
        give_up = time.monotonic() + 30
        while any(
            store.info("persistence")[f"aof_rewrite_{state}"]
            for state in ("in_progress", "scheduled")
        ):
            assert time.monotonic() < give_up
            time.sleep(0.05)
    with valkey(directory) as server, Redis.from_url(server.url) as store:
        assert store.get("key") == b"kept"


@pytest.mark.soak
def test_a_lost_state_store_is_made_anew(observed: Observed) -> None:
    stack = observed.stack
    before = contents(stack)
    assert stack.xunwen("down").returncode == 0
    shutil.rmtree(stack.home / "state")
    up = stack.xunwen("up", "--detach")
    assert up.returncode == 0, up.stdout + up.stderr
    assert contents(stack) == before
