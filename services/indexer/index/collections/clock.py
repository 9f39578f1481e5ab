"""Versions of writes: nanoseconds since the epoch, each used once and rising."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class VersionClock:
    """Hands out versions above every one it has seen, also when the system's clock goes back."""

    floor: int = 0
    """The newest version that was handed out or seen; versions to come are higher."""
    time_ns: Callable[[], int] = time.time_ns

    def next(self) -> int:
        """A new version: the present time, or the floor plus one if that is later."""
        self.floor = max(self.time_ns(), self.floor + 1)
        return self.floor

    def seen(self, version: int) -> None:
        """Raises the floor to a version that an earlier process handed out."""
        self.floor = max(self.floor, version)
