"""Times the stages of a search and traces them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from services.common.telemetry.tracing import span
from services.common.wire.stages import Stage


@dataclass(slots=True)
class StageReport:
    """What a stage tells about itself while it runs; None for what does not concern it."""

    candidates: int | None = None
    stopped: Literal["settled", "depth", "budget"] | None = None
    dense_weight: float | None = None


@dataclass(slots=True)
class Stopwatch:
    """Collects stages in the order in which they end, also those that fail or are cancelled."""

    stages: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[StageReport]:
        """Times what runs inside the context, as the stage `name`."""
        report = StageReport()
        started = time.perf_counter()
        try:
            with span(name) as current:
                yield report
                if report.candidates is not None:
                    current.set_attribute("candidates", report.candidates)
        finally:
            took_ms = round((time.perf_counter() - started) * 1000, 2)
            self.stages.append(
                Stage(
                    name=name,
                    took_ms=took_ms,
                    candidates=report.candidates,
                    stopped=report.stopped,
                    dense_weight=report.dense_weight,
                )
            )
