"""Times the stages of a search and traces them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from services.common.tracing import span
from services.common.wire.stages import Stage


@dataclass(slots=True)
class Lap:
    """The report of a stage while it runs: the number of candidates that it works on."""

    candidates: int | None = None
    stopped: Literal["settled", "depth", "budget"] | None = None
    dense_weight: float | None = None


@dataclass(slots=True)
class Stopwatch:
    """Collects stages in the order in which they end, also those that fail or are cancelled."""

    stages: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[Lap]:
        """Times what runs inside the context, as the stage `name`."""
        lap = Lap()
        started = time.perf_counter()
        try:
            with span(name) as current:
                yield lap
                if lap.candidates is not None:
                    current.set_attribute("candidates", lap.candidates)
        finally:
            took_ms = round((time.perf_counter() - started) * 1000, 2)
            self.stages.append(
                Stage(
                    name=name,
                    took_ms=took_ms,
                    candidates=lap.candidates,
                    stopped=lap.stopped,
                    dense_weight=lap.dense_weight,
                )
            )
