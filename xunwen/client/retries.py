"""When a call is sent again, and how long to wait before."""

import random
from dataclasses import dataclass

import httpx

_TRANSIENT = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Retries:
    """Bounded repetition of calls that may be repeated: exponential with jitter, or as told."""

    attempts: int = 4
    first_seconds: float = 0.2
    longest_seconds: float = 10.0

    def again(self, attempt: int, response: httpx.Response | None) -> float | None:
        """Seconds to wait before the next attempt, or None when this outcome stands.

        `attempt` counts from 1; `response` is None when the connection failed.
        """
        if attempt >= self.attempts:
            return None
        if response is not None:
            if response.status_code not in _TRANSIENT:
                return None
            told = response.headers.get("retry-after", "")
            if told.isdigit():
                return float(told) if float(told) <= self.longest_seconds else None
        pause: float = self.first_seconds * 2 ** (attempt - 1)
        return min(self.longest_seconds, pause * random.uniform(0.5, 1.5))
