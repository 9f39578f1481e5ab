"""How a run of embed and rerank was asked for."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.common.engine import PredictorOptions


@dataclass(frozen=True, slots=True)
class Run:
    work: Path
    """A folder for what the peers need."""
    peers: Sequence[str]
    processor_time: bool
    """Counted are processor seconds, not those of the clock."""
    bfloat16: bool
    """Both sides may compute in it; else ours does in int8 and the peers in fp32."""

    @property
    def clock(self) -> Callable[[], float]:
        return time.process_time if self.processor_time else time.perf_counter

    @property
    def options(self) -> PredictorOptions:
        return PredictorOptions(precision="auto" if self.bfloat16 else "int8")

    def request(self, kind: str, model: Path, **further: object) -> dict[str, object]:
        """What a peer is told."""
        return {
            "kind": kind,
            "model": str(model.resolve()),
            "threads": self.options.thread_count(),
            "precision": "bf16" if self.bfloat16 else "fp32",
            "processor_time": self.processor_time,
            **further,
        }

    def results(self, benchmark: str) -> str:
        """What the results are called."""
        return benchmark if self.bfloat16 else f"{benchmark}-without-bfloat16"
