"""Measures the clock and the processor time of several processes."""

import time
from dataclasses import dataclass

import psutil

from benchmarks.indexing import processor_seconds


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Starts at the time of its making."""

    processes: list[psutil.Process]
    began: float
    used: float

    @classmethod
    def of(cls, processes: list[psutil.Process]) -> "Stopwatch":
        return cls(processes, time.monotonic(), processor_seconds(processes))

    def rate(self, count: int) -> str:
        """Documents per second by the clock, and the processor time of a thousand documents."""
        clock = time.monotonic() - self.began
        used = processor_seconds(self.processes) - self.used
        return (
            f"{clock:.1f} s, {count / clock:,.0f} documents/s,"
            f" {used:.1f} s of processor time, {1000 * used / count:.2f} s for 1,000 documents"
        )
