"""Times the stages of a search, and traces them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.common.tracing import span
from services.common.wire.stages import Stage


@dataclass(slots=True)
class Lap:
    """What a stage may say about itself while it runs."""

    candidates: int | None = None


@dataclass(slots=True)
class Stopwatch:
    """Collects stages in the order in which they end, failed and cancelled ones included."""

    stages: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[Lap]:
        lap = Lap()
        started = time.perf_counter()
        try:
            with span(name) as current:
                yield lap
                if lap.candidates is not None:
                    current.set_attribute("candidates", lap.candidates)
        finally:
            took_ms = round((time.perf_counter() - started) * 1000, 2)
            self.stages.append(Stage(name=name, took_ms=took_ms, candidates=lap.candidates))
