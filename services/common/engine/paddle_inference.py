"""Paddle Inference with oneDNN: the only module that imports Paddle for serving."""

import os
import warnings
from pathlib import Path
from typing import Any, Literal

from services.common.engine.batches import Passes
from services.common.engine.memory import keep_freed_memory
from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import IntArray
from services.common.errors import ModelInvalid, ModelUnavailable

_ALL_SHAPES = 0
"""What a shape needs is kept for good. With a limit, each holds its own copy of the weights, and
beyond it Paddle drops the shape that came last: two in turns then cost 6 ms a pass."""


class PaddlePredictor:
    passes = Passes(
        at_once=1,  # Paddle holds Python's lock while it computes
        token_budget=1024,
        own_tokens=200,  # 3 ms where 1,000 took 15
        # oneDNN's softmax takes a slow path for what is left of 16, and few shapes bound what it
        # keeps for each: all 211 of them came to 0.7 GB of the shipped encoder's process.
        step=16,
    )

    def __init__(self, native: Any) -> None:
        self._native = native
        self._ids = native.get_input_handle("input_ids")
        self._types = native.get_input_handle("token_type_ids")
        self._output = native.get_output_handle(native.get_output_names()[0])

    def run(self, ids: IntArray, types: IntArray) -> FloatArray:
        try:
            self._ids.copy_from_cpu(ids)
            self._types.copy_from_cpu(types)
            self._native.run()
            values: FloatArray = self._output.copy_to_cpu()
        except Exception as error:
            raise ModelUnavailable("The model failed on this input.") from error
        return values


def open_paddle(
    program: Path, weights: Path, *, threads: int, precision: Literal["fp32", "bf16"]
) -> PaddlePredictor:
    """Loads a static program with inputs `input_ids` and `token_type_ids`. Raises ModelInvalid."""
    keep_freed_memory()
    inference = _paddle_inference()
    config = inference.Config(str(program), str(weights))
    config.disable_gpu()
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads(threads)
    # enable_memory_optim() is left out: with the new executor of 3.3.1 it crashes creation.
    config.enable_onednn()
    config.set_onednn_cache_capacity(_ALL_SHAPES)
    if precision == "bf16":
        config.enable_onednn_bfloat16()
    try:
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
