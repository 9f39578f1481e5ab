"""Exit codes, and errors in one line."""

import sys
from enum import IntEnum

from pydantic import ValidationError

from xunwen.client import ApiError, ConnectionFailed, XunwenError


class Exit(IntEnum):
    """What the process tells its caller."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    WITH_REJECTED = 4
    INTERRUPTED = 130


def explain(error: Exception) -> tuple[str, Exit]:
    """The line and the code for an error that people can do something about."""
    if isinstance(error, ConnectionFailed):
        return str(error), Exit.UNREACHABLE
    if isinstance(error, ApiError):
        request = f" (request {error.request_id})" if error.status >= 500 else ""
        return f"{error.detail}{request}{_hint(error)}", Exit.FAILED
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or "input"
        return f"{where}: {first['msg']}", Exit.FAILED
    return str(error), Exit.FAILED


def _hint(error: ApiError) -> str:
    if error.status == 401:
        return " Set XUNWEN_API_KEY or pass --api-key; `xunwen keys create` makes one."
    return ""


def fail(error: Exception) -> Exit:
    """Writes the line and returns the code."""
    line, code = explain(error)
    sys.stderr.write(f"xunwen: {' '.join(line.split())}\n")
    return code


EXPECTED = (XunwenError, ValidationError)
"""Errors that people can do something about; all others are our mistakes and show a trace."""
