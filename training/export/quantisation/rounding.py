"""Rounds the weights of both programs to the same int8 codes, so that git holds them once.

The int8 program needs each large matrix as codes with one scale per output channel, after smoothing
multiplied its rows. Taking the rounded matrix into the float32 program as well costs it less than
a thousandth in cosine, and a model then takes one byte per weight instead of three.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper
from onnx.external_data_helper import set_external_data

from services.common.engine.predictor import FloatArray
from services.common.model_dir import CodedTensor, decoded
from services.common.model_dir.pdiparams import FLOAT32, TensorSpan, tensor_spans

_TABLE_ROWS = 4096
"""A float32 matrix of at least this many rows is an embedding table and gets codes per row."""
_LARGEST = 127
_EXTERNAL_BYTES = 1024
"""Bytes from which on a matrix lies in a file of its own; smaller ones stay inside the int8
program."""


@dataclass(frozen=True, slots=True)
class RoundedWeights:
    """The bytes that replace the weights file, and the codes that they follow from."""

    weights: bytes
    codes: bytes
    coded: list[CodedTensor]


def round_weights(
    model: Any, plain: Mapping[str, FloatArray], smoothing: Mapping[str, FloatArray], content: bytes
) -> RoundedWeights:
    """Round a weights file, `content`, to the codes of the int8 program `model`.

    `plain` has the matrices [in, out] before smoothing by their name in the program, `smoothing`
    the factors [in] that undo it. Embedding tables are rounded here, row by row.
    """
    initializers = {each.name: each for each in model.graph.initializer}
    by_content = {array.tobytes(): name for name, array in plain.items()}
    weights, codes, coded = bytearray(content), bytearray(), list[CodedTensor]()
    for span in tensor_spans(content):
        stored = content[span.start : span.end]
        name = by_content.get(stored) if span.data_type == FLOAT32 else None
        if name is not None and f"{name}_quantized" in initializers:
            table = numpy_helper.to_array(initializers[f"{name}_quantized"])
            columns = numpy_helper.to_array(initializers[f"{name}_scale"]).reshape(-1)
            rows = smoothing[name].reshape(-1)
        elif _is_table(span):
            values = np.frombuffer(stored, np.float32).reshape(span.dimensions)
            rows = np.abs(values).max(axis=1) / np.float32(_LARGEST)
            rows[rows == 0] = 1.0
            table = np.rint(values / rows[:, None]).astype(np.int8)
            columns = np.ones(values.shape[1], dtype=np.float32)
        else:
            continue
        coded.append(CodedTensor(span.start, len(codes), rows, columns))
        codes += np.ascontiguousarray(table).tobytes()
        weights[span.start : span.end] = decoded(table, rows, columns).tobytes()
    return RoundedWeights(bytes(weights), bytes(codes), coded)


def take_rounded_tables(model: Any, before: bytes, rounded: RoundedWeights, pad_id: int) -> None:
    """Gives the int8 program the rounded embedding tables; its row of padding stays as it is."""
    for span in tensor_spans(before):
        if not _is_table(span):
            continue
        old = np.frombuffer(before[span.start : span.end], np.float32).reshape(span.dimensions)
        new = rounded.weights[span.start : span.end]
        for tensor in model.graph.initializer:
            if tensor.data_type != TensorProto.FLOAT or tuple(tensor.dims) != span.dimensions:
                continue
            values = numpy_helper.to_array(tensor)
            differs = set(np.flatnonzero((values != old).any(axis=1)))
            if differs <= {pad_id}:
                taken = np.frombuffer(new, np.float32).reshape(span.dimensions).copy()
                taken[pad_id] = values[pad_id]
                tensor.CopyFrom(numpy_helper.from_array(taken, tensor.name))


def share_codes(model: Any, codes: bytes, file: str) -> None:
    """Lets the int8 program read its matrices from the codes file instead of holding them twice."""
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.INT8 or len(tensor.raw_data) < _EXTERNAL_BYTES:
            continue
        offset = codes.find(tensor.raw_data)
        if offset >= 0:
            set_external_data(tensor, file, offset, len(tensor.raw_data))
            tensor.ClearField("raw_data")


def _is_table(span: TensorSpan) -> bool:
    return (
        span.data_type == FLOAT32
        and len(span.dimensions) == 2
        and span.dimensions[0] >= _TABLE_ROWS
    )
