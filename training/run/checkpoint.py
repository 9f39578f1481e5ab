"""Checkpoints, which hold all that a run needs to continue as if it had never stopped."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import paddle
from paddle import nn
from paddle.optimizer import Optimizer

from training import durable
from training.data.stream import Position
from training.failures import DataInvalid

POINTER = "last.json"
OPTIMIZER = "optimizer.pdopt"


@dataclass(slots=True)
class Progress:
    step: int = 0
    position: Position = field(default_factory=Position)
    tokens: int = 0
    seconds: float = 0.0
    best: float | None = None
    """Lowest validation loss so far."""


def save(directory: Path, progress: Progress, network: nn.Layer, optimizer: Optimizer) -> None:
    """Writes a checkpoint, points to it, and only then removes the one before, so that neither a
    kill nor a power cut loses anything.

    No generator state is saved: each step seeds its own from the run's seed and its number.
    """
    name = f"step-{progress.step:07d}"
    target = directory / name
    target.mkdir(parents=True, exist_ok=True)
    paddle.save(network.state_dict(), str(target / "network.pdparams"))
    stable = {parameter.name: name for name, parameter in network.named_parameters()}
    paddle.save(_renamed(optimizer.state_dict(), stable), str(target / OPTIMIZER))
    durable.sync(target)
    durable.write(directory / POINTER, json.dumps({"checkpoint": name, **asdict(progress)}))
    for other in directory.glob("step-*"):
        if other.name != name:
            shutil.rmtree(other)


def restore(directory: Path, network: nn.Layer, optimizer: Optimizer) -> Progress | None:
    """Loads the last checkpoint into `network` and `optimizer`; returns None if there is none.
    Raises DataInvalid if it is damaged."""
    pointer = directory / POINTER
    if not pointer.is_file():
        return None
    try:
        saved = json.loads(pointer.read_text(encoding="utf-8"))
        target = directory / saved.pop("checkpoint")
        weights = paddle.load(str(target / "network.pdparams"))
        state = paddle.load(str(target / OPTIMIZER))
        position = Position(**saved.pop("position"))
        progress = Progress(position=position, **saved)
    except Exception as error:  # Paddle raises errors of many kinds for a damaged file.
        raise DataInvalid(
            f"the checkpoint in {directory} is damaged; remove this folder to train from the start"
        ) from error
    network.set_state_dict(weights)
    current = {name: parameter.name for name, parameter in network.named_parameters()}
    optimizer.set_state_dict(_renamed(state, current))
    return progress


def _renamed(state: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The optimizer's state with its parameters renamed.

    Paddle numbers parameters in the order in which a process makes them, and names the state
    after the numbers; the network's own names are the same in every process.
    """
    result = {}
    for key, value in state.items():
        owners = [name for name in names if key.startswith(f"{name}_")]
        owner = max(owners, key=len, default=None)
        renamed = key if owner is None else names[owner] + key.removeprefix(owner)
        result[renamed] = value
    return result
