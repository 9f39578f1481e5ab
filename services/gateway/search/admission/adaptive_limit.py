"""Learns from latencies how many searches may run at once. It uses no clock and no tasks.

Additive increase, multiplicative decrease (Chiu and Jain, 1989), with latency in place of loss: a
search that runs alone shows the unloaded time; while searches take more than `TOLERANCE` times
that, fewer are let in. Kinds of search differ by an order of magnitude, so each kind has its own
unloaded time, and only the ratio to it is compared.
"""

from dataclasses import dataclass, field

TOLERANCE = 1.5
"""Ratio of a search's time to its unloaded time, up to which the services count as not loaded."""
_WORTH = 1.9
"""Multiple of its unloaded time within which a search must end while the queue is full, its waiting
included."""
_SHORTEST_WAIT = 0.1
"""Least time to wait while the queue is full, as a fraction of the unloaded time."""
_INCREASE = 1.0
_DECREASE = 0.93
_PUSHED_BACK = 0.8
_SMOOTHING = 0.2


@dataclass(slots=True)
class AdaptiveLimit:
    """Keeps the limit `value` between `minimum` and `maximum`."""

    initial: float
    minimum: float
    maximum: float
    value: float = field(init=False)
    _unloaded: dict[str, float] = field(default_factory=dict, init=False)
    """Seconds that a search takes while there is no load, by its kind."""
    _ratio: float = field(default=1.0, init=False)
    """Ratio of the times of recent searches to those without load, smoothed."""

    def __post_init__(self) -> None:
        self.value = self.initial

    def worth_waiting(self, kind: str) -> float | None:
        """Seconds that a search of this kind may wait while the queue is full; None if none has
        been seen.

        The wait is long while searches are quick, so that a burst is served, and short once they
        are slow.
        """
        unloaded = self._unloaded.get(kind)
        if unloaded is None:
            return None
        return unloaded * max(_WORTH - self._ratio, _SHORTEST_WAIT)

    def expected(self, kind: str) -> float | None:
        """Seconds that a search of this kind takes at present; None if none has been seen."""
        unloaded = self._unloaded.get(kind)
        return None if unloaded is None else unloaded * max(1.0, self._ratio)

    def took(self, kind: str, seconds: float, *, alone: bool, busy: bool) -> None:
        """Learns from a search that ended.

        `busy` says that the present limit was used, so that a higher one might be used too.
        """
        before = self._unloaded.get(kind)
        if before is None:
            self._unloaded[kind] = seconds
            return
        if alone:
            self._unloaded[kind] = before + _SMOOTHING * (seconds - before)
        elif seconds < before:
            self._unloaded[kind] = seconds
        self._ratio += _SMOOTHING * (seconds / max(before, 1e-6) - self._ratio)
        if self._ratio > TOLERANCE and not alone:
            self._set(self.value * _DECREASE)
        elif self._ratio <= TOLERANCE and busy:
            self._set(self.value + _INCREASE / self.value)

    def pushed_back(self) -> None:
        """Learns that a service refused a call, or that time ran out, while other searches ran."""
        self._set(self.value * _PUSHED_BACK)

    def _set(self, value: float) -> None:
        self.value = min(self.maximum, max(self.minimum, value))
