"""Chooses the engine and precision of a model: the demanded one, the smallest, or the fastest.

On processors without native bfloat16, int8 is clearly better in speed, memory and start (measured
on AVX2), so nothing else is loaded. Where bfloat16 is native, it may be faster for passes of many
texts: a trial at the start decides.
"""

import logging
import time
from pathlib import Path

from services.common.engine.forward import Forward
from services.common.engine.onnx_runtime import open_onnx
from services.common.engine.paddle import open_paddle
from services.common.engine.predictor import Predictor, PredictorOptions
from services.common.engine.processor import computes_in_bfloat16
from services.common.engine.tokens import Tokens
from services.common.errors import ModelInvalid
from services.common.model_dir import ModelManifest
from services.common.precision import Precision

log = logging.getLogger(__name__)

_TRIAL_SEQUENCES, _TRIAL_TOKENS = 32, 64
_TRIAL_ROUNDS = 3
ONNX_SUFFIX = ".onnx"
"""Ending of programs that came as ONNX; all other programs are Paddle's."""


def open_predictor(
    directory: Path, manifest: ModelManifest, options: PredictorOptions
) -> tuple[Predictor, Precision]:
    """Opens the model's program, and says in which precision it computes.

    Raises ModelInvalid, also when the model forbids the demanded precision.
    """
    opened = {
        precision: _open(directory, manifest, options.thread_count(), precision)
        for precision in _candidates(options, manifest)
    }
    if len(opened) == 1:
        return next((predictor, precision) for precision, predictor in opened.items())
    seconds = _trial(opened, manifest)
    fastest = min(opened, key=lambda precision: seconds[precision])
    log.info(
        "%s computes in %s; milliseconds of %d sequences of %d tokens: %s",
        manifest.name,
        fastest,
        _TRIAL_SEQUENCES,
        _TRIAL_TOKENS,
        ", ".join(f"{precision} {1000 * taken:.1f}" for precision, taken in seconds.items()),
    )
    return opened[fastest], fastest


def _candidates(options: PredictorOptions, manifest: ModelManifest) -> list[Precision]:
    allowed = manifest.precisions
    wanted = options.precision
    if wanted not in ("auto", "small"):
        if wanted not in allowed:
            raise ModelInvalid(f"the model allows {', '.join(allowed)}, not {wanted}")
        return [wanted]
    native = computes_in_bfloat16()
    if wanted == "auto" and native and {"bf16", "int8"} <= set(allowed):
        return ["bf16", "int8"]
    order: list[Precision] = ["int8", "bf16", "fp32"] if native else ["int8", "fp32", "bf16"]
    return [next(precision for precision in order if precision in allowed)]


def _open(
    directory: Path, manifest: ModelManifest, threads: int, precision: Precision
) -> Predictor:
    files = manifest.files
    if precision == "int8":
        assert files.int8 is not None  # noqa: S101 - the manifest checked it
        return open_onnx(directory / files.int8.file, threads=threads, inputs=manifest.inputs)
    program = directory / files.program.file
    if program.suffix == ONNX_SUFFIX:
        return open_onnx(program, threads=threads, inputs=manifest.inputs, alone=False)
    return open_paddle(
        program,
        directory / files.weights.file,
        threads=threads,
        precision=precision,
        inputs=manifest.inputs,
    )


def _trial(opened: dict[Precision, Predictor], manifest: ModelManifest) -> dict[Precision, float]:
    """Seconds of the fastest round of each precision. Rounds take turns, so that a disturbance
    of the machine meets all precisions."""
    sequence = Tokens([0 if manifest.pad_id else 1] * _TRIAL_TOKENS, [0] * _TRIAL_TOKENS)
    forwards = {
        precision: Forward(predictor, manifest.pad_id, manifest.inputs)
        for precision, predictor in opened.items()
    }
    seconds = dict.fromkeys(opened, float("inf"))
    for turn in range(1 + _TRIAL_ROUNDS):
        for precision, forward in forwards.items():
            started = time.perf_counter()
            forward.many([sequence] * _TRIAL_SEQUENCES)
            if turn:  # The first round compiles the program and is not timed.
                seconds[precision] = min(seconds[precision], time.perf_counter() - started)
    return seconds
