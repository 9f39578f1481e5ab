"""Versions of writes: nanoseconds since the epoch, each handed out once and rising."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class VersionClock:
    """`floor` is raised at start to the newest version known, should the clock have gone back."""

    floor: int = 0
    time_ns: Callable[[], int] = time.time_ns

    def next(self) -> int:
        self.floor = max(self.time_ns(), self.floor + 1)
        return self.floor
