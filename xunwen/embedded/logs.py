"""Reads the logs of the parts."""

import time
from collections.abc import Iterator
from pathlib import Path

from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.failure import log_tail
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
    paths = [settings.log_dir / f"{name}.log" for name in ([part] if part else known)]
    for path in paths:
        for line in log_tail(path).splitlines()[-last:]:
            yield path.stem, line
    if follow:
        yield from _followed(paths)


def _followed(paths: list[Path]) -> Iterator[tuple[str, str]]:
    ends = {path: path.stat().st_size for path in paths}
    while True:
        for path in paths:
            size = path.stat().st_size if path.exists() else 0
            if size < ends[path]:
                ends[path] = 0  # The log was rotated.
            with path.open("rb") as stream:
                stream.seek(ends[path])
                block = stream.read()
            whole = block[: block.rfind(b"\n") + 1]
            ends[path] += len(whole)
            for line in whole.decode("utf-8", "replace").splitlines():
                yield path.stem, line
        time.sleep(_POLL_SECONDS)
