"""The options of one run of the benchmarks embed and rerank."""

import time
from collections.abc import Callable, Mapping, Sequence, Sized
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers import Figures, rates
from services.common.engine import PredictorOptions


@dataclass(frozen=True, slots=True)
class Run:
    work: Path
    """Folder for the models and programs that the peers read."""
    peers: Sequence[str]
    outside: Executor
    """A process that starts the peers and never loads our engine, whose settings they would
    inherit."""
    processor_time: bool
    """Whether processor seconds are counted instead of those of the clock."""
    bfloat16: bool
    """Whether both sides may compute in bfloat16; otherwise ours computes in int8 and the peers in
    fp32."""

    @property
    def clock(self) -> Callable[[], float]:
        return time.process_time if self.processor_time else time.perf_counter

    @property
    def options(self) -> PredictorOptions:
        return PredictorOptions(precision="auto" if self.bfloat16 else "int8")

    def request(self, kind: str, model: Path, **further: object) -> dict[str, Any]:
        """The request that a peer gets, as benchmarks/peer.py reads it."""
        return {
            "kind": kind,
            "model": str(model.resolve()),
            "threads": self.options.thread_count(),
            "precision": "bf16" if self.bfloat16 else "fp32",
            "processor_time": self.processor_time,
            **further,
        }

    def rate(
        self, way: Callable[[Sequence[str]], object], inputs: Sequence[str], rounds: int
    ) -> float:
        """Inputs per second in the fastest round, which neighbours disturbed least."""
        way(inputs[:4])
        seconds = []
        for _ in range(rounds):
            started = self.clock()
            way(inputs)
            seconds.append(self.clock() - started)
        return len(inputs) / min(seconds)

    def peer_rates(
        self, request: dict[str, Any], sets: Mapping[str, Sized]
    ) -> dict[str, Figures | str]:
        """Items per second of each set by peer, or the reason why a peer has no figure."""
        sizes = {name: len(inputs) for name, inputs in sets.items()}
        return self.outside.submit(rates, self.peers, request, sizes, self.work).result()

    def results(self, benchmark: str) -> str:
        """Name of the result files, without a suffix."""
        return benchmark if self.bfloat16 else f"{benchmark}-without-bfloat16"
