"""Moves outliers of activations into the weights that meet them (SmoothQuant: Xiao et al., 2023).

One scale for all activations of a product wastes its 8 bits on the largest channel. Dividing each
channel by a factor and multiplying the weight's row by it changes nothing in float32 and evens
both out. The division is a product of its own: the residual branch needs the plain values.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import IntArray
from services.common.model_dir import InputName

SHARE = 0.65
"""Share of a channel's range that goes to the weight, as an exponent; with 0.5 and 0.8 the program
agreed less with float32."""
_LEAST = 1e-5


def weighted_products(model: Any) -> list[Any]:
    """The MatMul nodes whose right side is a weight."""
    weights = {each.name for each in model.graph.initializer}
    return [
        node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in weights
    ]


def weights_of(model: Any) -> dict[str, FloatArray]:
    """The weight matrices [in, out] of the products, by name."""
    initializers = {each.name: each for each in model.graph.initializer}
    return {
        node.input[1]: numpy_helper.to_array(initializers[node.input[1]])
        for node in weighted_products(model)
    }


Batch = Mapping[InputName, IntArray]
"""The inputs of one pass by name."""


def smooth(model: Any, batches: Sequence[Batch], folder: Path) -> dict[str, FloatArray]:
    """Smooths every product of `model` in place, by the activations of `batches`.

    Returns the factors that undo it: by name of a weight [in, out], the factors [in] of its rows.
    """
    products = weighted_products(model)
    peaks = _peaks(model, dict.fromkeys(node.input[0] for node in products), batches, folder)
    weights = {each.name: each for each in model.graph.initializer}
    readers: dict[str, list[Any]] = {name: [] for name in peaks}
    for node in products:
        readers[node.input[0]].append(node)
    divisions, undone = {}, dict[str, FloatArray]()
    for name, nodes in readers.items():
        rows = [numpy_helper.to_array(weights[node.input[1]]) for node in nodes]
        factors = _factors(peaks[name], np.max([np.abs(row).max(axis=1) for row in rows], axis=0))
        inverse, smoothed = f"{name}.smoothing", f"{name}.smooth"
        model.graph.initializer.append(numpy_helper.from_array(1 / factors, inverse))
        division = helper.make_node("Mul", [name, inverse], [smoothed], name=smoothed)
        divisions[nodes[0].output[0]] = division
        for node, row in zip(nodes, rows, strict=True):
            scaled = numpy_helper.from_array(row * factors[:, None], node.input[1])
            weights[node.input[1]].CopyFrom(scaled)
            undone[node.input[1]] = (1 / factors).astype(np.float32)
            node.input[0] = smoothed
    ordered = []
    for node in model.graph.node:
        first = divisions.get(node.output[0])
        ordered += [node] if first is None else [first, node]
    del model.graph.node[:]
    model.graph.node.extend(ordered)
    return undone


def _factors(peaks: FloatArray, weights: FloatArray) -> FloatArray:
    factors = np.maximum(peaks, _LEAST) ** SHARE / np.maximum(weights, _LEAST) ** (1 - SHARE)
    even: FloatArray = (factors / np.exp(np.log(factors).mean())).astype(np.float32)
    return even


def _peaks(
    model: Any, names: dict[str, None], batches: Sequence[Batch], folder: Path
) -> dict[str, FloatArray]:
    """The largest absolute value of each channel of the named activations."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    for name in names:
        watched.graph.output.append(
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        )
    path = folder / "watched.onnx"
    onnx.save(watched, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    peaks: dict[str, FloatArray] = {}
    for batch in batches:
        values = session.run([*names], dict(batch))
        for name, value in zip(names, values, strict=True):
            peak = np.abs(value.reshape(-1, value.shape[-1])).max(axis=0)
            peaks[name] = np.maximum(peaks.get(name, 0), peak)
    return peaks
