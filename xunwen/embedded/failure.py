"""Finds the reason why a part does not start in the part's log, and says it in one line."""

import json
import re
from contextlib import suppress
from pathlib import Path

from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.parts import Part
from xunwen.embedded.settings import EmbeddedSettings

_TAIL_BYTES = 8_192
_LOG_PREFIX = re.compile(r"^\d+:[A-Z] \d\d \w{3} \d{4} [\d:.]+ [*#.-] ")
_NO_SPACE = re.compile(r"No space left on device|ENOSPC|Disk quota exceeded")


def start_failure(part: Part, settings: EmbeddedSettings) -> EmbeddedError:
    """The error to raise for a part that ended while it was being started."""
    log = settings.log_dir / f"{part.name}.log"
    tail = log_tail(log)
    if _NO_SPACE.search(tail):
        return EmbeddedError(
            f"The disk of {settings.home} is full ({part.name} cannot write); free some space or"
            " set XUNWEN_HOME to another disk."
        )
    said = last_line(tail) or "it said nothing"
    if part.data is not None:
        return EmbeddedError(
            f"{part.name} does not start on {part.data}: {said}. If its data are damaged, restore a"
            f" backup, or move {part.data} away and index again. Log: {log}"
        )
    return EmbeddedError(f"{part.name} does not start: {said}. Log: {log}")


def log_tail(log: Path) -> str:
    """The last 8 KB of a log; an empty text if there is no log."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _TAIL_BYTES))
            return stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def last_line(tail: str) -> str:
    """The last line with a letter or digit: the message of a JSON line, without its time stamp."""
    for line in reversed(tail.splitlines()):
        text = _LOG_PREFIX.sub("", line).strip()
        if text.startswith("{"):
            with suppress(ValueError):
                text = str(json.loads(text).get("message", text))
        if any(char.isalnum() for char in text):
            return text[:300].rstrip(".")
    return ""
