"""Measures the rate of a job by the parts that ended lately."""

from collections import deque
from dataclasses import dataclass, field

RATE_SECONDS = 30.0
"""Seconds over which the rate of a job is measured."""


@dataclass(slots=True)
class Pace:
    """The parts of a job that ended lately. All times are seconds of a monotonic clock."""

    _recent: deque[tuple[float, int]] = field(default_factory=deque)
    """Time of the end and number of documents of each part."""

    def ended(self, now: float, documents: int) -> None:
        """Notes the end of a part."""
        self._recent.append((now, documents))

    def rate(self, now: float) -> float | None:
        """Documents per second over the last half minute; None if too little is known."""
        while self._recent and self._recent[0][0] < now - RATE_SECONDS:
            self._recent.popleft()
        if len(self._recent) < 2:
            return None
        seconds = now - self._recent[0][0]
        documents = sum(count for _, count in list(self._recent)[1:])
        return documents / seconds if seconds > 0 else None
