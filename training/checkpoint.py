"""Checkpoints: all that a run needs to continue as if it had never stopped."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import paddle
from paddle import nn

from training.data.stream import Position

POINTER = "last.json"


@dataclass(slots=True)
class Progress:
    step: int = 0
    position: Position = field(default_factory=Position)
    tokens: int = 0
    seconds: float = 0.0
    best: float | None = None
    """Lowest validation loss so far."""


def save(directory: Path, progress: Progress, network: nn.Layer, optimizer: object) -> None:
    """Write a checkpoint, then point to it, then drop the one before: a kill at any time is safe.

    No generator state is kept: each step seeds its own from the run's seed and its number.
    """
    name = f"step-{progress.step:07d}"
    target = directory / name
    target.mkdir(parents=True, exist_ok=True)
    paddle.save(network.state_dict(), str(target / "network.pdparams"))
    paddle.save(optimizer.state_dict(), str(target / "optimizer.pdopt"))  # type: ignore[attr-defined]
    pointer = directory / POINTER
    draft = directory / f".{POINTER}"
    draft.write_text(json.dumps({"checkpoint": name, **asdict(progress)}), encoding="utf-8")
    draft.replace(pointer)
    for other in directory.glob("step-*"):
        if other.name != name:
            shutil.rmtree(other)


def restore(directory: Path, network: nn.Layer, optimizer: object) -> Progress | None:
    """Load the last checkpoint into `network` and `optimizer`; None when there is none."""
    pointer = directory / POINTER
    if not pointer.is_file():
        return None
    saved = json.loads(pointer.read_text(encoding="utf-8"))
    target = directory / saved.pop("checkpoint")
    network.set_state_dict(paddle.load(str(target / "network.pdparams")))
    optimizer.set_state_dict(paddle.load(str(target / "optimizer.pdopt")))  # type: ignore[attr-defined]
    position = Position(**saved.pop("position"))
    return Progress(position=position, **saved)
