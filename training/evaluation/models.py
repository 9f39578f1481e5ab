"""Opens the models under evaluation as they would be served.

A training checkpoint is exported to a temporary model directory first, so that the static program
is measured as Paddle Inference runs it, and not the network that was trained.
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
from services.common.model_dir import MANIFEST, ModelKind
from services.common.precision import WantedPrecision
from training.failures import ModelUnknown

CHECKPOINT_MAX_TOKENS = 256
CHECKPOINT_QUERY_MAX_TOKENS = 64


@contextmanager
def encoder_at(path: Path, precision: WantedPrecision = "auto") -> Iterator[Encoder]:
    """The encoder of a model directory or checkpoint. Raises ModelInvalid, ModelUnknown."""
    with _model_directory(path, ModelKind.ENCODER) as directory:
        yield open_encoder(directory, PredictorOptions(precision=precision))


@contextmanager
def ranker_at(path: Path, precision: WantedPrecision = "auto") -> Iterator[Ranker]:
    """The ranker of a model directory or checkpoint. Raises ModelInvalid, ModelUnknown."""
    with _model_directory(path, ModelKind.RANKER) as directory:
        yield open_ranker(directory, PredictorOptions(precision=precision))


@contextmanager
def _model_directory(path: Path, kind: ModelKind) -> Iterator[Path]:
    """`path` itself if it is a model directory, else a temporary export of it."""
    if (path / MANIFEST).is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="xunwen-checkpoint-") as exported:
        _export(path, kind, Path(exported))
        yield Path(exported)


def _export(checkpoint: Path, kind: ModelKind, directory: Path) -> None:
    # paddlenlp takes seconds to import and is needed for checkpoints only.
    from training.export.directory import ExportOptions, export
    from training.export.parity import PROBE
    from training.networks.directory import load_codec, load_encoder, load_ranker
    from training.networks.source import read_source

    read = read_source(checkpoint)
    ranks, wanted = read.head.get("kind") == "ranker", kind is ModelKind.RANKER
    if ranks != wanted:
        # Without its own head a ranker would score at random.
        held, needed = ("a ranker", "an encoder") if ranks else ("no ranker", "a ranker")
        raise ModelUnknown(
            f"{checkpoint} holds {held}, and {needed} is needed here; name another directory"
        )
    network = load_ranker(read) if wanted else load_encoder(read)
    codec = load_codec(checkpoint, network)
    most: int = network.body.config.max_position_embeddings
    options = ExportOptions(
        name=checkpoint.name,
        version="checkpoint",
        max_tokens=min(CHECKPOINT_MAX_TOKENS, most),
        query_max_tokens=min(CHECKPOINT_QUERY_MAX_TOKENS, most),
    )
    export(network, codec, checkpoint, directory, options, PROBE)
