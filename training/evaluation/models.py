"""The models under evaluation, opened as they would be served.

A training checkpoint is exported to a temporary model directory first: what is measured is
the static program as Paddle Inference runs it, not the network that was trained.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.common.engine import (
    Encoder,
    PredictorOptions,
    Ranker,
    open_encoder,
    open_ranker,
)
from services.common.model_dir import MANIFEST, WantedPrecision

CHECKPOINT_MAX_TOKENS = 256
CHECKPOINT_QUERY_MAX_TOKENS = 64


@contextmanager
def encoder_at(path: Path, precision: WantedPrecision = "auto") -> Iterator[Encoder]:
    """The encoder of a model directory or checkpoint. Raises ModelInvalid, FileNotFoundError."""
    options = PredictorOptions(precision=precision)
    if (path / MANIFEST).is_file():
        yield open_encoder(path, options)
        return
    with tempfile.TemporaryDirectory(prefix="xunwen-checkpoint-") as exported:
        _export(path, "encoder", Path(exported))
        yield open_encoder(exported, options)


@contextmanager
def ranker_at(path: Path, precision: WantedPrecision = "auto") -> Iterator[Ranker]:
    """The ranker of a model directory or checkpoint. Raises ModelInvalid, FileNotFoundError."""
    options = PredictorOptions(precision=precision)
    if (path / MANIFEST).is_file():
        yield open_ranker(path, options)
        return
    with tempfile.TemporaryDirectory(prefix="xunwen-checkpoint-") as exported:
        _export(path, "ranker", Path(exported))
        yield open_ranker(exported, options)


def _export(checkpoint: Path, kind: str, directory: Path) -> None:
    # paddlenlp takes seconds to import and is needed for checkpoints only.
    from training.export import ExportOptions, export
    from training.networks import load_encoder, load_ranker
    from training.parity import PROBE
    from training.tokenization import TextCodec, load_tokenizer

    network = load_encoder(checkpoint) if kind == "encoder" else load_ranker(checkpoint)
    codec = TextCodec(load_tokenizer(checkpoint), network.body.config.pad_token_id)
    options = ExportOptions(
        name=checkpoint.name,
        version="checkpoint",
        max_tokens=CHECKPOINT_MAX_TOKENS,
        query_max_tokens=CHECKPOINT_QUERY_MAX_TOKENS,
    )
    export(network, codec, checkpoint, directory, options, PROBE)
