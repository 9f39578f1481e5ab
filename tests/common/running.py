"""Runs small_service.py as a process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import httpx

from tests.servers import free_port
from tests.waiting import eventually

PROGRAM = Path(__file__).with_name("small_service.py")
ROOT = Path(__file__).parents[2]


@contextmanager
def small_service(
    log: Path | None = None, /, **settings: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A running process of small_service.py, and its address; `log` is the file for its log."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SMALL_PORT": str(port), **settings}
    with nullcontext() if log is None else log.open("wb") as errors:
        process = subprocess.Popen([sys.executable, PROGRAM], env=environment, stderr=errors)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None
        try:
            httpx.get(f"{url}/livez")
        except httpx.ConnectError:
            return False
        return True

    try:
        eventually(answers)
        yield process, url
    finally:
        process.kill()
        process.wait()
