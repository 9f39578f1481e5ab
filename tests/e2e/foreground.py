"""A command in a terminal of its own."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_READY = "Ctrl-C"


@contextmanager
def foreground(
    command: Sequence[str | Path],
    env: Mapping[str, str],
    *,
    seconds: float,
    cwd: Path | None = None,
) -> Iterator["subprocess.Popen[str]"]:
    """Started, and ready within `seconds`; ended after the block if it still runs."""
    with subprocess.Popen(
        command, env=env, cwd=cwd, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        patience = threading.Timer(seconds, os.killpg, (process.pid, signal.SIGKILL))
        patience.start()
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if _READY in line:
                    break
            else:
                raise AssertionError("".join(lines))
            patience.cancel()
            yield process
        finally:
            patience.cancel()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
