"""ONNX Runtime: runs the int8 program that `xunwen export` derives from Paddle's.

Why there is a second engine: docs/adr/0010-int8-by-onnx-runtime.md.
"""

from pathlib import Path
from typing import Any

from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import IntArray
from services.common.errors import ModelInvalid, ModelUnavailable

_ERRORS_ONLY = 3


class OnnxPredictor:
    any_shape = True

    def __init__(self, session: Any) -> None:
        self._session = session

    def run(self, ids: IntArray, types: IntArray) -> FloatArray:
        try:
            values: FloatArray
            (values,) = self._session.run(None, {"input_ids": ids, "token_type_ids": types})
        except Exception as error:
            raise ModelUnavailable("The model failed on this input.") from error
        return values

    def clone(self) -> "OnnxPredictor":
        return self  # a session may run in several threads at once


def open_onnx(program: Path, *, threads: int) -> OnnxPredictor:
    """Loads an ONNX program with inputs `input_ids` and `token_type_ids`. Raises ModelInvalid."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin while they wait for work take the core from the services beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return OnnxPredictor(
            onnxruntime.InferenceSession(program, options, providers=["CPUExecutionProvider"])
        )
    except Exception as error:
        raise ModelInvalid(
            f"{program.parent.name}: ONNX Runtime cannot load {program.name};"
            " export the model again with this version of ONNX Runtime"
        ) from error
