"""ONNX Runtime: runs the int8 program that `xunwen export` derives from Paddle's.

Why there is a second engine: docs/adr/0010-int8-by-onnx-runtime.md.
"""

from pathlib import Path
from typing import Any

from services.common.engine.batches import Passes
from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import IntArray
from services.common.errors import ModelInvalid, ModelUnavailable

_ERRORS_ONLY = 3


class OnnxPredictor:
    def __init__(self, session: Any, at_once: int) -> None:
        self.passes = Passes(at_once=at_once, token_budget=256, own_tokens=16, step=1)
        self._session = session

    def run(self, ids: IntArray, types: IntArray) -> FloatArray:
        try:
            values: FloatArray
            (values,) = self._session.run(None, {"input_ids": ids, "token_type_ids": types})
        except Exception as error:
            raise ModelUnavailable("The model failed on this input.") from error
        return values


def open_onnx(program: Path, *, threads: int) -> OnnxPredictor:
    """Loads an ONNX program with inputs `input_ids` and `token_type_ids`. Raises ModelInvalid.

    Each pass takes one core: as many side by side do 1.1 to 1.4 times as much as one on all of
    them, and a query alone is no slower.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    try:
        session = onnxruntime.InferenceSession(program, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelInvalid(
            f"{program.parent.name}: ONNX Runtime cannot load {program.name};"
            " export the model again with this version of ONNX Runtime"
        ) from error
    return OnnxPredictor(session, threads)
