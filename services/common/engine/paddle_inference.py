"""Paddle Inference with its OpenVINO engine: the only module that imports Paddle for serving.

Why that engine: docs/adr/0011-paddle-inference-by-openvino.md.
"""

import os
import threading
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from services.common.engine.affinity import ignore_pinning
from services.common.engine.batches import Passes
from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import IntArray
from services.common.errors import ModelInvalid, ModelUnavailable
from services.common.model_dir import sha256_of

_PRECISIONS = {"fp32": "Float32", "bf16": "Bfloat16"}
_PROBE = np.zeros((1, 1), dtype=np.int64)
_opening = threading.Lock()


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
        self._failed = False
        self._ids = native.get_input_handle("input_ids")
        self._types = native.get_input_handle("token_type_ids")
        self._output, self._echo = map(native.get_output_handle, native.get_output_names())

    def run(self, ids: IntArray, types: IntArray) -> FloatArray:
        with self._lock:
            if self._failed:  # what it left behind may be part of one answer, part of another
                self._pass(_PROBE, _PROBE)
            return self._pass(ids, types)

    def _pass(self, ids: IntArray, types: IntArray) -> FloatArray:
        self._failed = True
        try:
            self._ids.copy_from_cpu(ids)
            self._types.copy_from_cpu(types)
            self._native.run()
            values: FloatArray = self._output.copy_to_cpu()
            answered = np.array_equal(self._echo.copy_to_cpu(), ids + types)
        except Exception as error:
            raise ModelUnavailable("The model failed on this input.") from error
        if not answered:  # the engine logs why it failed and leaves the last output in place
            raise ModelUnavailable("The model failed on this input.")
        self._failed = False
        return values


_opened: dict[tuple[str, int, str], PaddlePredictor] = {}


def open_paddle(
    program: Path, weights: Path, *, threads: int, precision: Literal["fp32", "bf16"]
) -> PaddlePredictor:
    """Loads a static program with inputs `input_ids` and `token_type_ids`. Raises ModelInvalid.

    Paddle keeps an engine until the process ends, of the shipped models 140 MB. So whoever opens
    the same program later, which names its weights, shares the predictor.
    """
    key = (sha256_of(program), threads, precision)
    with _opening:
        if key not in _opened:
            _opened[key] = _open(program, weights, threads, precision)
        return _opened[key]


def _open(program: Path, weights: Path, threads: int, precision: str) -> PaddlePredictor:
    ignore_pinning()
    inference = _paddle_inference()
    config = inference.Config(str(program), str(weights))
    config.disable_gpu()
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads(threads)
    try:
        config.enable_openvino_engine(getattr(inference.PrecisionType, _PRECISIONS[precision]))
        if not config.openvino_engine_enabled():
            raise ModelInvalid(
                "this build of Paddle has no OpenVINO engine, which is in its wheels for Linux on"
                " x86-64; here a model needs an int8 program: `xunwen quantise`"
            )
        # It writes what it compiled, by default to the working directory, and would not start
        # where it cannot. Reading it again saves nothing.
        with TemporaryDirectory(prefix="xunwen-engine-") as folder:
            config.set_optim_cache_dir(folder)
            return PaddlePredictor(inference.create_predictor(config))
    except ModelInvalid:
        raise
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
