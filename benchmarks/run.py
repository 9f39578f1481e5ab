"""How a run of embed and rerank was asked for."""

import time
from collections.abc import Callable, Mapping, Sequence, Sized
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import peers
from services.common.engine import PredictorOptions


@dataclass(frozen=True, slots=True)
class Run:
    work: Path
    """A folder for what the peers need."""
    peers: Sequence[str]
    outside: Executor
    """A process that never loads our engine, whose settings would go over to the peers."""
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

    def request(self, kind: str, model: Path, **further: object) -> dict[str, Any]:
        """What a peer is told."""
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
        """Inputs a second in the fastest round: what the neighbours took away least from."""
        way(inputs[:4])
        seconds = []
        for _ in range(rounds):
            started = self.clock()
            way(inputs)
            seconds.append(self.clock() - started)
        return len(inputs) / min(seconds)

    def peer_rates(
        self, request: dict[str, Any], sets: Mapping[str, Sized]
    ) -> dict[str, peers.Figures | str]:
        """Items of each set a second, by peer, or why a peer has none."""
        sizes = {name: len(inputs) for name, inputs in sets.items()}
        return self.outside.submit(peers.rates, self.peers, request, sizes, self.work).result()

    def results(self, benchmark: str) -> str:
        """What the results are called."""
        return benchmark if self.bfloat16 else f"{benchmark}-without-bfloat16"
