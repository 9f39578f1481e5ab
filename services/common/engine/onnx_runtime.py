"""ONNX Runtime, which runs the int8 program that `xunwen export` derives from Paddle's.

It also runs the programs of `xunwen import onnx`. docs/adr/0010-int8-by-onnx-runtime.md says why
there is a second engine.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.common.engine.batches import Passes
from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import IntArray
from services.common.errors import ModelInvalid, ModelUnavailable
from services.common.model_dir import INPUTS, InputName

_ERRORS_ONLY = 3
_SHARED_TOKENS = 1024
"""Most padded tokens of a pass of a float32 program, whose vectors do not depend on the other texts
of the pass."""


class OnnxPredictor:
    """Runs a session in as many threads at once as it is given; each pass takes one core."""

    def __init__(
        self, session: Any, at_once: int, inputs: Sequence[InputName], *, alone: bool
    ) -> None:
        # Each pass takes one sequence. The int8 program has one scale for all activations of a
        # pass, so that a text's vector would depend on the texts beside it (cosine 0.994 at worst).
        # Alone, a text always has the same vector and needs no padding. This costs 1.6 times the
        # time for titles and nothing for abstracts.
        budget = 1 if alone else _SHARED_TOKENS
        self.passes = Passes(at_once=at_once, token_budget=budget, own_tokens=16, step=1)
        self._session = session
        self._inputs = tuple(inputs)

    def run(self, *inputs: IntArray) -> FloatArray:
        """The program's inputs, each int64 [rows, columns], to float32 [rows, ...]. Raises
        ModelUnavailable."""
        try:
            values: FloatArray
            (values,) = self._session.run(None, dict(zip(self._inputs, inputs, strict=True)))
        except Exception as error:
            raise ModelUnavailable("The model failed on this input.") from error
        return values


def open_onnx(
    program: Path, *, threads: int, inputs: Sequence[InputName] = INPUTS, alone: bool = True
) -> OnnxPredictor:
    """Loads an ONNX program with the named inputs. Raises ModelInvalid.

    `alone` gives every sequence a pass of its own, which int8 programs need. Each pass takes one
    core: passes side by side do 1.1 to 1.4 times as much as one pass on all cores, and a single
    query is no slower.
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
            " export or import the model again with this version of ONNX Runtime"
        ) from error
    return OnnxPredictor(session, threads, inputs, alone=alone)
