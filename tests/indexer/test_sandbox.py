"""Readers that hang, crash and eat memory cost their file and nothing else."""

import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.indexer.intake.files.copies import on_disk
from services.indexer.intake.files.extracted import Unreadable
from services.indexer.intake.files.sandbox import Sandbox

MEMORY = 512 << 20


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(MEMORY, "tests.indexer.hostile") as one:
        yield one


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.pdf"
    file.write_text("content")
    return file


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("hang", "takes longer than 5 seconds to read"),
        ("spin", "takes longer than (1 seconds of computing|5 seconds) to read"),
        ("eat", "needs more than 512 MiB of memory to be read"),
        ("crash", r"crashes its reader \(SIGSEGV\); it is damaged"),
        ("abort", "crashes its reader; it is damaged or needs more than 512 MiB of memory"),
        ("leave", "crashes its reader; it is damaged"),
        ("fail", "is damaged: its reader fails on it$"),
        ("flood", "holds more than 64 MiB of text"),
    ],
)
def test_a_reader_that_misbehaves_costs_its_file_only(
    sandbox: Sandbox, path: Path, kind: str, reason: str
) -> None:
    [first] = sandbox.read("pid", path, None)
    begun = time.monotonic()
    with pytest.raises(Unreadable, match=reason):
        list(sandbox.read(kind, path, None, seconds=1 if kind in ("hang", "spin") else 60))
    assert time.monotonic() - begun < 30
    assert list(sandbox.read("chat", path, None)) == ["content"], "what is printed is no answer"
    [second] = sandbox.read("pid", path, None)
    assert second == first if kind == "fail" else not running(first)


def test_what_came_before_a_crash_stays(sandbox: Sandbox, path: Path) -> None:
    parts = sandbox.read("halfway", path, None)
    assert next(parts) == "content"
    with pytest.raises(Unreadable, match="crashes its reader"):
        next(parts)


def test_no_process_is_left_behind(path: Path) -> None:
    with Sandbox(MEMORY, "tests.indexer.hostile") as sandbox:
        [pid] = sandbox.read("pid", path, None)
        abandoned = sandbox.read("halfway", path, None)
        assert next(abandoned) == "content"
        assert running(pid)
    assert not running(pid)


def test_a_process_whose_parent_is_gone_ends_by_itself(path: Path) -> None:
    with Sandbox(MEMORY, "tests.indexer.hostile") as sandbox:
        [pid] = sandbox.read("pid", path, None)
        process = sandbox._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0
        assert not running(pid)


def test_a_process_that_dies_between_two_files_is_replaced(sandbox: Sandbox, path: Path) -> None:
    [pid] = sandbox.read("pid", path, None)
    os.kill(pid, signal.SIGKILL)
    assert sandbox._process is not None
    sandbox._process.wait(20)
    assert list(sandbox.read("chat", path, None)) == ["content"]


def test_a_program_that_does_not_start_is_no_fault_of_the_file(path: Path) -> None:
    with (
        Sandbox(MEMORY, "tests.indexer.no_such_module") as sandbox,
        pytest.raises(RuntimeError, match="does not start"),
    ):
        list(sandbox.read("pid", path, None))


def test_a_copy_that_a_killed_process_left_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has up to 256 MiB, and a worker that is killed for its memory tries again."""

    def process(seconds: int) -> "subprocess.Popen[str]":
        script = f"""
import io, time
from services.indexer.intake.files.copies import on_disk
with on_disk(io.BytesIO(b"content")):
    print("there", flush=True)
    time.sleep({seconds})
"""
        command = [sys.executable, "-c", script]
        env = {**os.environ, "TMPDIR": str(tmp_path)}
        return subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True)

    with process(600) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "there\n"
        killed.kill()
    [left] = tmp_path.iterdir()
    os.utime(left, (0, 0))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with on_disk(io.BytesIO(b"held")) as (held, _):
        assert [*tmp_path.iterdir()] == [held]
        os.utime(held, (0, 0))
        with process(0) as other:
            assert other.wait() == 0
        assert held.read_bytes() == b"held"
    assert [*tmp_path.iterdir()] == []
