"""Decides whether a call is sent again, and after which pause."""

import random
import time
from dataclasses import dataclass

import httpx

from xunwen.client.errors import ApiError, ConnectionFailed, XunwenError

_TRANSIENT = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Retries:
    """Bounds on repeated calls. Pauses follow the server's Retry-After, else they grow
    exponentially with jitter."""

    attempts: int = 4
    """Number of times that a call is sent, the first included."""
    first_seconds: float = 0.2
    """Pause before the second attempt; each later one is twice as long."""
    longest_seconds: float = 10.0
    """Longest pause in seconds; a call is not repeated if the server asks for a longer one."""
    away_seconds: float = 60.0
    """Seconds for which `watch` waits for a gateway that is away, since it is started again."""

    def again(self, attempt: int, response: httpx.Response | None) -> float | None:
        """Seconds to wait before the next attempt, or None if this outcome is final.

        `attempt` counts from 1; `response` is None if the connection failed.
        """
        if attempt >= self.attempts:
            return None
        if response is not None:
            if response.status_code not in _TRANSIENT:
                return None
            retry_after = response.headers.get("retry-after", "")
            if retry_after.isascii() and retry_after.isdigit():
                asked = float(retry_after)
                return asked if asked <= self.longest_seconds else None
        pause: float = self.first_seconds * 2 ** (attempt - 1)
        return min(self.longest_seconds, pause * random.uniform(0.5, 1.5))

    def patience(self) -> "Patience":
        """The patience with a gateway from now on."""
        return Patience(time.monotonic() + self.away_seconds)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a gateway is waited for that does not answer, or cannot do so yet."""

    give_up: float
    """The end, as `time.monotonic` counts."""

    def lasts(self, error: XunwenError) -> bool:
        """Whether a call that ended so is worth another one."""
        return is_passing(error) and time.monotonic() < self.give_up


def is_passing(error: XunwenError) -> bool:
    """Whether the same call may succeed later: the gateway, or what stands before it, says so, or
    nobody answered."""
    if isinstance(error, ApiError):
        return error.status in _TRANSIENT
    return isinstance(error, ConnectionFailed)
