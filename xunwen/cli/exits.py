"""The exit codes of the command line, and errors as one line."""

import sys
from enum import IntEnum

from pydantic import ValidationError

from services.common.validation import first_reason
from xunwen.client import ApiError, ConnectionFailed, XunwenError


class Exit(IntEnum):
    """Exit codes of the process; the help of `xunwen` lists them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    WITH_REJECTED = 4
    INTERRUPTED = 130


def explain(error: Exception) -> tuple[str, Exit]:
    """The line and the exit code for an error that callers can act on."""
    if isinstance(error, ConnectionFailed):
        return str(error), Exit.UNREACHABLE
    if isinstance(error, ApiError):
        request = f" (request {error.request_id})" if error.status >= 500 else ""
        return f"{error.detail}{request}{_hint(error)}", Exit.FAILED
    if isinstance(error, ValidationError):
        return first_reason(error), Exit.FAILED
    return str(error), Exit.FAILED


def _hint(error: ApiError) -> str:
    if error.status == 401:
        return " Set XUNWEN_API_KEY or pass --api-key; `xunwen keys create` makes one."
    return ""


def fail(error: Exception) -> Exit:
    """Writes the line for an error to stderr and returns the exit code."""
    line, code = explain(error)
    sys.stderr.write(f"xunwen: {' '.join(line.split())}\n")
    return code


EXPECTED = (XunwenError, ValidationError)
"""Errors that callers can act on; all others are faults of this program and show a trace."""
