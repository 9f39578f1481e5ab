"""A circuit breaker: stops calling what keeps failing, and probes it with one call at a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class CircuitBreaker:
    """Opens after `failures` in a row; after `rest_seconds` lets one probe through (half-open)."""

    failures: int = 5
    rest_seconds: float = 2.0
    clock: Callable[[], float] = field(default=time.monotonic)
    _failed: int = field(default=0, init=False)
    _opened_at: float = field(default=0.0, init=False)
    _probing: bool = field(default=False, init=False)

    @property
    def open(self) -> bool:
        return self._failed >= self.failures

    def allow(self) -> bool:
        """Whether a call may go out now. A caller that was allowed must report how it ended."""
        if not self.open:
            return True
        if self._probing or self.clock() - self._opened_at < self.rest_seconds:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        self._failed, self._probing = 0, False

    def failed(self) -> None:
        self._failed, self._probing = self._failed + 1, False
        self._opened_at = self.clock()

    def abandoned(self) -> None:
        """The call ended without telling anything about the callee (the caller went away)."""
        self._probing = False

    def retry_after(self) -> float:
        """Seconds until the next probe may go out."""
        return max(0.0, self.rest_seconds - (self.clock() - self._opened_at))
