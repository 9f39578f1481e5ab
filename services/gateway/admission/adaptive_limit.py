"""How many searches may run at once, learnt from how long they take. Pure: no clock, no tasks.

Additive increase, multiplicative decrease (Chiu and Jain, 1989), on latency instead of loss: a
search that runs alone shows what it takes unloaded; while searches take more than `TOLERANCE`
times that, fewer are let in. Kinds of search differ by an order of magnitude, so each has its
own unloaded time, and only the ratio is compared.
"""

from dataclasses import dataclass, field

TOLERANCE = 1.5
_WORTH = 1.9
"""Times what it takes alone, within which a search that had to wait shall still end."""
_SHORTEST_WAIT = 0.1
_INCREASE = 1.0
_DECREASE = 0.93
_PUSHED_BACK = 0.8
_SMOOTHING = 0.2


@dataclass(slots=True)
class AdaptiveLimit:
    initial: float
    minimum: float
    maximum: float
    value: float = field(init=False)
    _unloaded: dict[str, float] = field(default_factory=dict, init=False)
    """Seconds by kind."""
    _ratio: float = field(default=1.0, init=False)
    """Of recent times to their unloaded times, smoothed."""

    def __post_init__(self) -> None:
        self.value = self.initial

    def worth_waiting(self, kind: str) -> float | None:
        """Seconds that a search of this kind may wait for a place; None when none was seen.

        Long while searches are quick, so that a burst is served; short once they are slow.
        """
        unloaded = self._unloaded.get(kind)
        if unloaded is None:
            return None
        return unloaded * max(_WORTH - self._ratio, _SHORTEST_WAIT)

    def took(self, kind: str, seconds: float, *, alone: bool, busy: bool) -> None:
        """A search ended. `busy`: the limit was used, so a higher one might be used too."""
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
        """A service refused, or time ran out, while others ran beside it."""
        self._set(self.value * _PUSHED_BACK)

    def _set(self, value: float) -> None:
        self.value = min(self.maximum, max(self.minimum, value))
