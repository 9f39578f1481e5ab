"""What travels with a request through services, threads and logs: its id and its deadline."""

import re
import time
import uuid
from contextvars import ContextVar
from dataclasses import dataclass

REQUEST_ID_HEADER = "x-request-id"
DEADLINE_HEADER = "x-deadline-ms"
INTERNAL_TOKEN_HEADER = "x-internal-token"

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time on this process's monotonic clock.

    Between services the *remaining* milliseconds travel, so that clocks need not agree.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - time.monotonic())

    @property
    def expired(self) -> bool:
        return time.monotonic() >= self.at

    def header(self) -> str:
        return str(int(self.remaining() * 1000))


request_id_var: ContextVar[str] = ContextVar("request_id", default="-")
deadline_var: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def accept_request_id(offered: str | None) -> str:
    """The caller's request id if it is harmless in logs and headers, else a new one."""
    if offered and _ACCEPTED_ID.fullmatch(offered):
        return offered
    return uuid.uuid4().hex


def read_deadline(header: str | None) -> Deadline | None:
    """The deadline a caller sent, or None when it sent none that can be read."""
    if header is None or not header.isascii() or not header.isdigit():
        return None
    return Deadline.after(min(int(header), 3_600_000) / 1000)
