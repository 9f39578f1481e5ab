"""Reads a model directory as a network again, from the description that export wrote."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from paddle import nn
from paddle.base.proto import framework_pb2

from services.common.errors import ModelInvalid
from services.common.model_dir import load_manifest
from services.common.model_dir.pdiparams import tensor_spans
from training.failures import ModelUnknown
from training.networks.paddlenlp_form import BODY_ARGUMENTS
from training.networks.weights import State

NETWORK_FILE = "network.json"
"""File that export writes beside the manifest; the services do not read it."""
_BODY = "body."

proto: Any = framework_pb2


@dataclass(frozen=True, slots=True)
class ExportedModel:
    config: dict[str, Any]
    body: State
    heads: State
    head: dict[str, Any]


def write_architecture(
    directory: Path, network: nn.Layer, program: Path, head: dict[str, Any]
) -> None:
    """Writes `network.json`: configuration, head, and the weights in the order of their file.

    A program keeps the names that Paddle gave the network's parameters, and its weights file has
    them in alphabetical order; parameters that the program never reads are missing from it.
    """
    description = proto.ProgramDesc()
    description.ParseFromString(program.read_bytes())
    names = sorted(
        variable.name
        for variable in description.blocks[0].vars
        if variable.persistable and variable.name not in ("feed", "fetch")
    )
    ours = {parameter.name: name for name, parameter in network.named_parameters()}
    shapes = {name: list(parameter.shape) for name, parameter in network.named_parameters()}
    config: dict[str, Any] = network.body.config.to_dict()
    content = {
        "config": {key: config[key] for key in BODY_ARGUMENTS if key in config},
        "head": head,
        "weights": [[ours[name], shapes[ours[name]]] for name in names],
    }
    (directory / NETWORK_FILE).write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def read_exported(directory: Path) -> ExportedModel:
    """The network of a model directory whose weights are unpacked. Raises ModelUnknown."""
    path = directory / NETWORK_FILE
    if not path.is_file():
        raise ModelUnknown(
            f"{directory} has no {NETWORK_FILE}, so training cannot start from it: it computes by "
            "ONNX or elsewhere, or was exported before there were such files; then export its "
            "checkpoint again"
        )
    content = json.loads(path.read_text("utf-8"))
    try:
        manifest = load_manifest(directory)
    except ModelInvalid as error:
        raise ModelUnknown(str(error)) from error
    weights = _weights((directory / manifest.files.weights.file).read_bytes(), content["weights"])
    if weights is None:
        raise ModelUnknown(
            f"{path} does not describe the weights beside it; export the model again"
        )
    return ExportedModel(
        content["config"],
        {n.removeprefix(_BODY): value for n, value in weights.items() if n.startswith(_BODY)},
        {name: value for name, value in weights.items() if not name.startswith(_BODY)},
        content["head"],
    )


def _weights(content: bytes, described: Sequence[tuple[str, list[int]]]) -> State | None:
    """The arrays by name; None if their number or sizes do not fit."""
    spans = tensor_spans(content)
    if len(spans) != len(described):
        return None
    state: State = {}
    for span, (name, shape) in zip(spans, described, strict=True):
        values = np.frombuffer(content[span.start : span.end], np.float32)
        if values.size != np.prod(shape):
            return None
        state[name] = values.reshape(shape)
    return state
