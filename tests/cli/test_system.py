"""The command line as a process, against the real system."""

import json
import os
import pty
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.stack import XUNWEN, Stack
from xunwen import Client

_SECONDS = 300
COLLECTION = f"cli_watch_{os.getpid()}"


@contextmanager
def paused(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def in_a_terminal(
    command: Sequence[str | Path], env: Mapping[str, str], awaited: str
) -> tuple["subprocess.Popen[str]", threading.Event]:
    """The process, and when its terminal has shown what is awaited. A terminal is always read."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command, env={**env, "TERM": "xterm"}, stdout=its, stderr=subprocess.PIPE, text=True
    )
    os.close(its)
    shown = threading.Event()

    def read() -> None:
        with suppress(OSError), open(ours, "rb", buffering=0) as terminal:  # noqa: PTH123
            while piece := terminal.read(65_536):
                if awaited.encode() in piece:
                    shown.set()

    threading.Thread(target=read).start()
    return process, shown


def test_interrupted_while_it_watches_and_watched_again(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "stations.csv"
    rows = "".join(f"{n},第{n}号水文站的日均径流\n" for n in range(2500))
    file.write_text(f"id,title\n{rows}", encoding="utf-8")
    index = [XUNWEN, "index", str(file), "--collection", COLLECTION]
    with Client(stack.url) as client:
        with paused(stack.pid_of("worker")):  # else a fast machine is done before the signal
            process, shown = in_a_terminal(index, stack.env, "queued")
            assert shown.wait(_SECONDS), "its bar does not appear"
            (job,) = client.jobs(collection=COLLECTION)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=_SECONDS)
        assert process.returncode == 130
        assert f"xunwen jobs watch {job.id}" in said
        watched = stack.xunwen("jobs", "watch", job.id)
        assert watched.returncode == 0, watched.stderr
        assert "succeeded: 2,500 read, 2,500 indexed" in watched.stdout
        client.delete_collection(COLLECTION)


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
