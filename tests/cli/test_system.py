"""The command line as a process, against the real system."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import httpx

from tests.stack import XUNWEN, Stack
from tests.waiting import eventually
from xunwen import Client

_SECONDS = 300
COLLECTION = f"cli_watch_{os.getpid()}"


def test_interrupted_while_it_watches_and_watched_again(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "stations.csv"
    rows = "".join(f"{n},第{n}号水文站的日均径流\n" for n in range(20))
    file.write_text(f"id,title\n{rows}", encoding="utf-8")
    index = [str(XUNWEN), "index", str(file), "--collection", COLLECTION]
    with Client(stack.url) as client:
        with stack.held("worker"):  # A slow command would otherwise see the end of its job first.
            told = _told_of_jobs(stack)
            process = subprocess.Popen(
                index, env=stack.env, stderr=subprocess.PIPE, text=True, preexec_fn=_interruptible
            )
            job_id = _watched(client, stack, told)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=_SECONDS)
        assert process.returncode == 130
        assert f"xunwen jobs watch {job_id}" in said
        watched = stack.xunwen("jobs", "watch", job_id)
        assert watched.returncode == 0, watched.stderr
        assert "succeeded: 20 read, 20 indexed" in watched.stdout
        client.delete_collection(COLLECTION)


def _interruptible() -> None:
    """A suite that a shell has put into the background ignores interrupts, as its children do."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _watched(client: Client, stack: Stack, told: float) -> str:
    """The id of the job once the command watches it: it has asked for the job as it is."""
    eventually(lambda: _told_of_jobs(stack) > told, _SECONDS)
    [job] = client.jobs(collection=COLLECTION)
    return job.id


def _told_of_jobs(stack: Stack) -> float:
    """The number of times that the gateway was asked for one job."""
    counts = re.findall(
        r'^xunwen_http_requests_total{.*route="/v1/index-jobs/{job_id}".*} (.*)$',
        httpx.get(f"{stack.url}/metrics").text,
        re.MULTILINE,
    )
    return sum(map(float, counts))


def test_shell_completion() -> None:
    asked = {"_XUNWEN_COMPLETE": "complete_bash", "COMP_WORDS": "xunwen coll", "COMP_CWORD": "1"}
    ran = subprocess.run(
        [XUNWEN], env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["collections"]


def test_up_and_status_for_programs(stack: Stack) -> None:
    assert json.loads(stack.xunwen("up", "--json").stdout)["url"] == stack.url
    parts = [json.loads(line) for line in stack.xunwen("status", "--json").stdout.splitlines()]
    assert {part["name"] for part in parts} >= {"gateway", "recall", "rank", "indexer", "worker"}


def test_tune_writes_nothing_but_its_answer(stack: Stack) -> None:
    ran = stack.xunwen("tune")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "there is nothing to tune" in " ".join(ran.stdout.split())
    ran = stack.xunwen("tune", "no-such")
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    ran = stack.xunwen("tune", "--milvus", "http://127.0.0.1:1")
    assert ran.stderr == "xunwen: Milvus does not answer at http://127.0.0.1:1.\n"
