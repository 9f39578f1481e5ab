"""Opens a Paddle program and runs passes on it."""

import os
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from services.common.engine.batches import Passes
from services.common.engine.paddle.affinity import ignore_pinning
from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import IntArray
from services.common.errors import ModelInvalid, ModelUnavailable
from services.common.model_dir import INPUTS, InputName, sha256_of

_PRECISIONS = {"fp32": "Float32", "bf16": "Bfloat16"}
_PROBE = np.zeros((1, 1), dtype=np.int64)
_opening = threading.Lock()


class PaddlePredictor:
    """Runs one pass at a time; safe to call from several threads."""

    passes = Passes(
        # The session runs one pass at a time, since Paddle holds Python's lock while it computes.
        at_once=1,
        token_budget=1024,
        own_tokens=80,  # Beside its tokens a pass costs 1 ms; 1,000 tokens take 12 ms.
        step=16,  # The engine compiles each new shape for 5 to 15 ms and keeps it in 2 MB.
    )

    def __init__(self, native: Any, inputs: Sequence[InputName]) -> None:
        self._native = native
        self._lock = threading.Lock()
        self._failed = False
        self._inputs = [native.get_input_handle(name) for name in inputs]
        self._output, self._echo = map(native.get_output_handle, native.get_output_names())

    def run(self, *inputs: IntArray) -> FloatArray:
        """The program's inputs, each int64 [rows, columns], to float32 [rows, ...].

        Raises ModelUnavailable.
        """
        with self._lock:
            # After a failed pass, the inputs of one call may stay beside those of another. A pass
            # over a probe replaces all of them. Delete this when Paddle's OpenVINO engine raises on
            # failure.
            if self._failed:
                self._pass([_PROBE] * len(self._inputs))
            return self._pass(inputs)

    def _pass(self, inputs: Sequence[IntArray]) -> FloatArray:
        self._failed = True
        try:
            for handle, values in zip(self._inputs, inputs, strict=True):
                handle.copy_from_cpu(values)
            self._native.run()
            output: FloatArray = self._output.copy_to_cpu()
            echo = self._echo.copy_to_cpu()
        except Exception as error:
            raise ModelUnavailable("The model failed on this input.") from error
        # The engine logs a failure and answers with the output of the pass before. Programs
        # therefore also return the sum of their inputs, which tells whose answer it is. Delete
        # when Paddle's OpenVINO engine raises on failure.
        if not np.array_equal(echo, np.sum(inputs, axis=0)):
            raise ModelUnavailable("The model failed on this input.")
        self._failed = False
        return output


_opened: dict[tuple[str, int, str], PaddlePredictor] = {}
"""Predictors by program, threads and precision.

Paddle keeps an engine until the process ends, 140 MB for each of the shipped models, so whoever
opens the same program again shares its predictor. Delete when Paddle frees a dropped predictor.
"""


def open_paddle(
    program: Path,
    weights: Path,
    *,
    threads: int,
    precision: Literal["fp32", "bf16"],
    inputs: Sequence[InputName] = INPUTS,
) -> PaddlePredictor:
    """Loads a static program with the named inputs. Raises ModelInvalid.

    A program names its weights, so equal programs are equal models.
    """
    key = (sha256_of(program), threads, precision)
    with _opening:
        if key not in _opened:
            native = _open(program, weights, threads, precision)
            if unknown := sorted({*inputs} - {*native.get_input_names()}):
                raise ModelInvalid(
                    f"{program.parent.name}: {program.name} does not read {', '.join(unknown)},"
                    " which the manifest names as its inputs; export the model again"
                )
            _opened[key] = PaddlePredictor(native, inputs)
        return _opened[key]


def _open(program: Path, weights: Path, threads: int, precision: str) -> Any:
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
        # By default the engine writes what it compiles into the working directory, and does not
        # start if it cannot write there. Reading these files again would gain nothing. Delete this
        # when Paddle takes an empty cache folder as no cache.
        with TemporaryDirectory(prefix="xunwen-engine-") as folder:
            config.set_optim_cache_dir(folder)
            return inference.create_predictor(config)
    except ModelInvalid:
        raise
    except Exception as error:
        raise ModelInvalid(
            f"{program.parent.name}: Paddle cannot load {program.name} with {weights.name};"
            " export the model again with this version of Paddle"
        ) from error


def _paddle_inference() -> Any:
    # Paddle would write log lines that are not JSON.
    os.environ.setdefault("GLOG_minloglevel", "2")
    with warnings.catch_warnings():
        # Importing Paddle warns that there is no ccache. Delete this when it no longer does.
        warnings.simplefilter("ignore")
        from paddle import inference
    return inference
