"""The id and the deadline of a request, which travel with it through services and logs."""

import re
import time
import uuid
from contextvars import ContextVar
from dataclasses import dataclass

REQUEST_ID_HEADER = "x-request-id"
DEADLINE_HEADER = "x-deadline-ms"
INTERNAL_TOKEN_HEADER = "x-internal-token"

LATE_SECONDS = 0.05
"""Seconds by which an answer may exceed its deadline if nothing has been found by then: a late
answer is better than none."""

_MOST_MS = 3_600_000
_MOST_DIGITS = 12
"""Digits of a deadline that are read; so many are more than an hour already."""

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time by which a request must be answered, on the monotonic clock of this process.

    Between services the *remaining* milliseconds travel, so that clocks need not agree.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline that ends in `seconds`."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds until the deadline; 0 once it has passed."""
        return max(0.0, self.at - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self.at

    def at_last(self) -> "Deadline":
        """The deadline LATE_SECONDS later, for work without which there is no answer."""
        return Deadline(self.at + LATE_SECONDS)

    def header(self) -> str:
        """The value of the deadline header: the milliseconds that are left."""
        return str(int(self.remaining() * 1000))


request_id_var: ContextVar[str] = ContextVar("request_id", default="-")
deadline_var: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def accept_request_id(offered: str | None) -> str:
    """The request id that the caller sent, if it is safe in logs and headers, else a new one."""
    if offered and _ACCEPTED_ID.fullmatch(offered):
        return offered
    return uuid.uuid4().hex


def read_deadline(header: str | None) -> Deadline | None:
    """The deadline that the caller sent, at most an hour away; None if none can be read."""
    if header is None or not header.isascii() or not header.isdigit():
        return None
    # Python refuses to read thousands of digits.
    return Deadline.after(min(int(header[:_MOST_DIGITS]), _MOST_MS) / 1000)
