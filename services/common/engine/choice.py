"""Which engine and precision run a model here: what was asked for, or what is fastest.

Without native bfloat16 int8 won clearly where it was measured (AVX2), in speed, memory and start,
so nothing else is loaded; with it the answer depends on the processor and a trial decides.
"""

import logging
import time
from pathlib import Path

from services.common.engine.forward import Forward
from services.common.engine.onnx_runtime import open_onnx
from services.common.engine.paddle_inference import open_paddle
from services.common.engine.predictor import Predictor, PredictorOptions
from services.common.engine.processor import computes_in_bfloat16
from services.common.engine.tokens import Tokens
from services.common.errors import ModelInvalid
from services.common.model_dir import ModelManifest, Precision

log = logging.getLogger(__name__)

_TRIAL_SEQUENCES, _TRIAL_TOKENS = 32, 64
_TRIAL_ROUNDS = 3


def open_predictor(
    directory: Path, manifest: ModelManifest, options: PredictorOptions
) -> tuple[Predictor, Precision]:
    """Opens the model's program. Raises ModelInvalid, also when the model forbids the precision."""
    opened = {
        precision: _open(directory, manifest, options.thread_count(), precision)
        for precision in _candidates(options, manifest)
    }
    if len(opened) == 1:
        return next((predictor, precision) for precision, predictor in opened.items())
    seconds = _trial(opened, manifest.pad_id)
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
    if options.precision != "auto":
        if options.precision not in allowed:
            raise ModelInvalid(f"the model allows {', '.join(allowed)}, not {options.precision}")
        return [options.precision]
    native = computes_in_bfloat16()
    if native and {"bf16", "int8"} <= set(allowed):
        return ["bf16", "int8"]
    order: list[Precision] = ["bf16", "int8", "fp32"] if native else ["int8", "fp32", "bf16"]
    return [next(precision for precision in order if precision in allowed)]


def _open(
    directory: Path, manifest: ModelManifest, threads: int, precision: Precision
) -> Predictor:
    files = manifest.files
    if precision == "int8":
        assert files.int8 is not None  # noqa: S101 - the manifest checked it
        return open_onnx(directory / files.int8.file, threads=threads)
    return open_paddle(
        directory / files.program.file,
        directory / files.weights.file,
        threads=threads,
        precision=precision,
    )


def _trial(opened: dict[Precision, Predictor], pad_id: int) -> dict[Precision, float]:
    """Seconds of each one's fastest round, taken in turns so that a disturbance meets all."""
    sequence = Tokens([0 if pad_id else 1] * _TRIAL_TOKENS, [0] * _TRIAL_TOKENS)
    forwards = {precision: Forward(predictor, pad_id) for precision, predictor in opened.items()}
    seconds = dict.fromkeys(opened, float("inf"))
    for turn in range(1 + _TRIAL_ROUNDS):
        for precision, forward in forwards.items():
            started = time.perf_counter()
            forward.many([sequence] * _TRIAL_SEQUENCES)
            if turn:  # the first compiles
                seconds[precision] = min(seconds[precision], time.perf_counter() - started)
    return seconds
