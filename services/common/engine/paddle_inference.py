"""Paddle Inference with its OpenVINO engine: the only module that imports Paddle for serving.

Why that engine: docs/adr/0011-paddle-inference-by-openvino.md.
"""

import os
import threading
import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from services.common.engine.affinity import ignore_pinning
from services.common.engine.batches import Passes
from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import IntArray
from services.common.errors import ModelInvalid, ModelUnavailable

_PRECISIONS = {"fp32": "Float32", "bf16": "Bfloat16"}


class PaddlePredictor:
    passes = Passes(
        at_once=1,  # Paddle holds Python's lock while it computes
        token_budget=1024,
        own_tokens=80,  # 1 ms where 1,000 take 12
        step=16,  # a new shape is compiled, 5 to 15 ms, and kept, 2 MB: of 16 there are few
    )

    def __init__(self, native: Any) -> None:
        self._native = native
        self._lock = threading.Lock()
        self._ids = native.get_input_handle("input_ids")
        self._types = native.get_input_handle("token_type_ids")
        self._output, self._echo = map(native.get_output_handle, native.get_output_names())

    def run(self, ids: IntArray, types: IntArray) -> FloatArray:
        try:
            with self._lock:
                self._ids.copy_from_cpu(ids)
                self._types.copy_from_cpu(types)
                self._native.run()
                values: FloatArray = self._output.copy_to_cpu()
                answered = np.array_equal(self._echo.copy_to_cpu(), ids + types)
        except Exception as error:
            raise ModelUnavailable("The model failed on this input.") from error
        if not answered:  # the engine logs why it failed and leaves the last output in place
            raise ModelUnavailable("The model failed on this input.")
        return values


def open_paddle(
    program: Path, weights: Path, *, threads: int, precision: Literal["fp32", "bf16"]
) -> PaddlePredictor:
    """Loads a static program with inputs `input_ids` and `token_type_ids`. Raises ModelInvalid.

    Paddle keeps an engine until the process ends, and may replace it under its user's hands when
    the same one is made again. So whoever opens the same files later shares the predictor.
    """
    written = (program.stat().st_mtime_ns, weights.stat().st_mtime_ns)
    return _open(program.resolve(), weights.resolve(), written, threads, precision)


@cache
def _open(
    program: Path, weights: Path, _written: tuple[int, int], threads: int, precision: str
) -> PaddlePredictor:
    ignore_pinning()
    inference = _paddle_inference()
    config = inference.Config(str(program), str(weights))
    config.disable_gpu()
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads(threads)
    config.enable_openvino_engine(getattr(inference.PrecisionType, _PRECISIONS[precision]))
    try:
        # It writes what it compiled, by default to the working directory, and would not start
        # where it cannot. Reading it again saves nothing.
        with TemporaryDirectory(prefix="xunwen-engine-") as cache:
            config.set_optim_cache_dir(cache)
            return PaddlePredictor(inference.create_predictor(config))
    except Exception as error:
        raise ModelInvalid(
            f"{program.parent.name}: Paddle cannot load {program.name} with {weights.name};"
            " export the model again with this version of Paddle"
        ) from error


def _paddle_inference() -> Any:
    os.environ.setdefault("GLOG_minloglevel", "2")  # its lines are no JSON
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing Paddle warns that there is no ccache
        from paddle import inference
    return inference
