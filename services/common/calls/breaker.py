"""A circuit breaker: it refuses calls to a service that keeps failing, and probes it singly."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from services.common.errors import ServiceUnavailable


class BrokenConnection(Exception):
    """A connection was refused or lost, perhaps one between a proxy and the service; nothing says
    whether the call was carried out."""


@dataclass(slots=True)
class CircuitBreaker:
    """Opens after `failures` failed calls in a row, and refuses calls while it is open.

    After `rest_seconds` it lets one probe through (half-open): a success closes it, a failure
    opens it for another rest. `clock` gives seconds of a monotonic clock.
    """

    failures: int = 5
    rest_seconds: float = 2.0
    clock: Callable[[], float] = field(default=time.monotonic)
    _failed: int = field(default=0, init=False)
    _opened_at: float = field(default=0.0, init=False)
    _probing: bool = field(default=False, init=False)
    _broken: bool = field(default=False, init=False)
    """Whether the last failure was a connection that broke."""

    @property
    def open(self) -> bool:
        """Whether so many calls in a row have failed that further ones are refused."""
        return self._failed >= self.failures

    def allow(self, *, probe: bool = True) -> bool:
        """Whether a call may go out now.

        A caller that was allowed must report the end by `succeeded`, `failed` or `abandoned`;
        `Guarded` does so. A call that may last for ever is no `probe`: others do not wait for its
        end.
        """
        if not self.open:
            return True
        if self._probing or self.clock() - self._opened_at < self.rest_seconds:
            return False
        self._probing = probe
        return True

    def succeeded(self) -> None:
        """Reports that the service answered; closes the breaker."""
        self._failed, self._probing = 0, False

    def failed(self, *, broken: bool = False) -> None:
        """Reports that the service did not answer.

        `broken` says that the connection was refused or lost.
        """
        self._broken = broken
        self._failed, self._probing = self._failed + 1, False
        self._opened_at = self.clock()

    def ready(self) -> None:
        """Reports that the service's readiness check succeeded.

        If the last failure was a broken connection, the process was killed since, and another one
        is ready: the breaker closes. After another failure it stays open, since a service that
        hangs may pass the check too.
        """
        if self._broken:
            self.succeeded()

    def abandoned(self) -> None:
        """Reports an end that says nothing about the service, such as a caller that closed the
        connection."""
        self._probing = False

    def retry_after(self) -> float:
        """Seconds until the next probe may go out."""
        return max(0.0, self.rest_seconds - (self.clock() - self._opened_at))


class Guarded:
    """A context that reports to a breaker how the call inside ended.

    An answer is a success, also one that reports an error: the service is there, and says itself
    what it lacks. An end by another error than these two, such as a budget that ran out, a caller
    who left, or a request that was not sent, says nothing about the service.
    """

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is None:
            self._breaker.succeeded()
        elif issubclass(kind, (ServiceUnavailable, BrokenConnection)):
            self._breaker.failed(broken=issubclass(kind, BrokenConnection))
        else:
            self._breaker.abandoned()
