"""Reads files in a process that is bounded in time and memory, and replaced when it dies.

Readers of PDF and Office files crash, hang and exhaust memory on damaged or hostile files. Such a
file must not harm any other.
"""

import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from services.common.wire.input_formats import Charset
from services.indexer.intake.files.extracted import Unreadable

logger = logging.getLogger(__name__)

MEMORY_BYTES = 1 << 30
"""Limit of the process's address space in bytes."""
FILE_SECONDS = 60.0
"""Seconds of computing for a file that is one document."""
SHEET_SECONDS = 300.0
"""Seconds of computing for a workbook, which may hold a million rows."""
_PATIENCE = 5
"""Multiple of a file's seconds of computing that it may take by the clock, beside other work."""
_CHECK_SECONDS = 0.5
"""Longest time between two looks whether the reading is still wanted."""
_START_SECONDS = 120.0
"""Seconds for the start of the process."""
_BLOCK_BYTES = 1 << 16
_MOST_BYTES = 64 << 20
"""Longest answer in bytes that is accepted."""
_FILES = 200
"""Number of files after which a new process is started, so that leaks of libraries stay bounded."""


@dataclass(slots=True)
class Sandbox:
    """Reads one file at a time. It is a context manager, whose process ends with the block."""

    memory: int = MEMORY_BYTES
    module: str = "services.indexer.intake.files.child"
    ocr: str = ""
    """Command that recognises the text of a page without any; with an empty one no text is
    recognised."""
    check: Callable[[], None] = lambda: None
    """Is called often while a file is read, and raises to stop that."""
    _process: "subprocess.Popen[bytes] | None" = None
    _read: int = 0
    _buffer: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def read(
        self, kind: str, path: Path, charset: Charset | None, seconds: float = FILE_SECONDS
    ) -> Iterator[Any]:
        """The parts that the reader of this kind finds in a file. Raises Unreadable, also between
        parts, and what `check` raises."""
        if self._read >= _FILES:
            self._end()
        process = self._started()
        self._read += 1
        request = {
            "kind": kind,
            "path": str(path),
            "charset": charset,
            "ocr": self.ocr,
            "computing": seconds,
            "seconds": _PATIENCE * seconds,
        }
        finished = False
        try:
            self._send(process, json.dumps(request).encode() + b"\n")
            until = time.monotonic() + _PATIENCE * seconds
            while True:
                answer = self._answer(process, until, seconds)
                if "part" in answer:
                    yield answer["part"]
                    continue
                if "recognising" in answer:
                    until = time.monotonic() + answer["recognising"] + _PATIENCE * seconds
                    continue
                if "memory" in answer:
                    raise Unreadable(self._too_large())
                finished = True
                if "failure" in answer:
                    logger.warning("a reader failed on a file", extra={"why": answer["failure"]})
                if "problem" in answer:
                    raise Unreadable(answer["problem"])
                return
        finally:
            if not finished:
                self._end()

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self._end()
            # The process gets no secrets, and the same packages.
            names = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")
            env = {name: os.environ[name] for name in names if name in os.environ}
            env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", self.module, str(self.memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=env,
            )
            self._read = 0
            try:
                self._answer(self._process, time.monotonic() + _START_SECONDS, _START_SECONDS)
            except Unreadable as error:
                self._end()
                raise RuntimeError("The program that reads files does not start.") from error
        return self._process

    def _send(self, process: "subprocess.Popen[bytes]", request: bytes) -> None:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            process.stdin.write(request)
            process.stdin.flush()
        except OSError:
            raise Unreadable(_crashed(process)) from None

    def _answer(
        self, process: "subprocess.Popen[bytes]", until: float, seconds: float
    ) -> dict[str, Any]:
        """The next line of the process. Raises Unreadable, and what `check` raises."""
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        handle = process.stdout.fileno()
        ready = select.poll()
        ready.register(handle, select.POLLIN)
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            self._await(ready, until, seconds)
            block = os.read(handle, _BLOCK_BYTES)
            if not block:
                raise Unreadable(self._died(process, seconds))
            self._buffer += block
            if len(self._buffer) > _MOST_BYTES:
                raise Unreadable(f"holds more than {_MOST_BYTES >> 20} MiB of text")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _await(self, ready: "select.poll", until: float, seconds: float) -> None:
        """Waits until there is something to read."""
        while (left := until - time.monotonic()) > 0:
            if ready.poll(min(left, _CHECK_SECONDS) * 1000):
                return
            self.check()
        raise Unreadable(f"takes longer than {_PATIENCE * seconds:.0f} seconds to read")

    def _died(self, process: "subprocess.Popen[bytes]", seconds: float) -> str:
        """The reason why the process ended before it had answered."""
        code = process.wait()
        if code == -signal.SIGPROF:
            return f"takes longer than {seconds:.0f} seconds of computing to read"
        # C++ ends a process in this way if memory is denied.
        if code in (-signal.SIGKILL, -signal.SIGABRT):
            return f"crashes its reader; it is damaged or needs more than {self._memory}"
        return _crashed(process)

    @property
    def _memory(self) -> str:
        return f"{self.memory >> 20:,} MiB of memory"

    def _too_large(self) -> str:
        return f"needs more than {self._memory} to be read"

    def _end(self) -> None:
        process, self._process = self._process, None
        self._buffer.clear()
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # Output that could not be flushed is not needed any more.


def _crashed(process: "subprocess.Popen[bytes]") -> str:
    code = process.wait()
    how = f" ({signal.Signals(-code).name})" if code < 0 else ""
    return f"crashes its reader{how}; it is damaged"
