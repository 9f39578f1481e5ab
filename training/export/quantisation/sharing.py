"""Lets the int8 program read its float32 weights from Paddle's weights file."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.external_data_helper import set_external_data

from services.common.engine.predictor import FloatArray
from services.common.model_dir.pdiparams import FLOAT32, tensor_spans

_EXTERNAL_BYTES = 1024


def share_weights(model: Any, weights: Path, pad_id: int) -> None:
    """Makes `model` read its float32 weights from the file that Paddle reads, instead of holding
    them twice."""
    content = weights.read_bytes()
    spans = [span for span in tensor_spans(content) if span.data_type == FLOAT32]
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) < _EXTERNAL_BYTES or tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        for span in spans:
            if _holds(content[span.start : span.end], values, pad_id):
                set_external_data(tensor, weights.name, span.start, values.nbytes)
                tensor.ClearField("raw_data")
                break


def _holds(stored: bytes, values: FloatArray, pad_id: int) -> bool:
    if len(stored) != values.nbytes:
        return False
    same = (np.frombuffer(stored, np.float32).reshape(values.shape) == values).reshape(
        len(values), -1
    )
    # Paddle embeds padding as zeros, whatever its row holds, and attention masks it.
    return set(np.flatnonzero(~same.all(axis=1))) <= {pad_id}
