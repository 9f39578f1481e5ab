"""Reads the logs of the parts."""

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.settings import EmbeddedSettings

_POLL_SECONDS = 0.3


def log_lines(
    settings: EmbeddedSettings, part: str | None, last: int, *, follow: bool
) -> Iterator[tuple[str, str]]:
    """Yields (part, line) for the last lines of each log and, if asked to follow, for all later
    ones.

    Raises EmbeddedError if there is no such log.
    """
    known = sorted(path.stem for path in settings.log_dir.glob("*.log"))
    if not known:
        raise EmbeddedError(f"There are no logs in {settings.log_dir}; nothing was started there.")
    if part is not None and part not in known:
        raise EmbeddedError(f"There is no log of {part}; there are: {', '.join(known)}.")
    with ExitStack() as opened:
        logs = {
            name: opened.enter_context(closing(_Log(settings.log_dir / f"{name}.log")))
            for name in ([part] if part else known)
        }
        for name, log in logs.items():
            for line in log.last(last):
                yield name, line
            if not follow and log.unended:
                yield name, _text(log.unended)
        while follow:
            for name, log in logs.items():
                for line in log.later():
                    yield name, line
            time.sleep(_POLL_SECONDS)


class _Log:
    """A log that is read line by line, also in the file that takes its place when it is rotated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream = path.open("rb")
        self.unended = b""
        """What was read of a line that is not whole yet."""

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()

    def last(self, count: int) -> list[str]:
        """The last lines that there are, `count` at most; one that is not whole counts as one."""
        lines = list(deque(self._stream, maxlen=count))
        if lines and not lines[-1].endswith(b"\n"):
            self.unended = lines.pop()
        return [_text(line) for line in lines]

    def later(self) -> Iterator[str]:
        """The lines that were written since the last call."""
        # It is asked first, since nothing is written to a log any more once it has been replaced.
        replaced = self._replaced()
        yield from self._read()
        if replaced:
            self.close()
            self._stream = self._path.open("rb")
            yield from self._read()

    def _read(self) -> Iterator[str]:
        for line in self._stream:
            self.unended += line
            if line.endswith(b"\n"):
                yield _text(self.unended)
                self.unended = b""

    def _replaced(self) -> bool:
        """Whether the log has begun anew, in another file or in the same one."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False  # A rotated log is there again a moment later.
        held = os.fstat(self._stream.fileno())
        return there.st_ino != held.st_ino or there.st_size < self._stream.tell()


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode("utf-8", "replace")
