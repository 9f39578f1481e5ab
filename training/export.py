"""A trained network to a model directory: static program, weights, tokenizer, manifest."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import paddle

from services.common.engine import PredictorOptions
from services.common.engine.paddle_inference import open_paddle
from services.common.model_dir import (
    Calibration,
    Kind,
    ModelFiles,
    ModelManifest,
    file_of,
    pack,
    write_manifest,
)
from training.backbone import Encoder
from training.failures import ParityError
from training.parity import correlation, cosine
from training.program import PROGRAM, WEIGHTS, save_program
from training.ranker import Ranker
from training.tokenization import TOKENIZER_FILE, TextCodec, save_tokenizer

log = logging.getLogger(__name__)

MIN_PARITY: dict[Literal["fp32", "bf16"], float] = {"fp32": 0.999, "bf16": 0.99}
"""Least cosine (encoder) or correlation (ranker) of the exported program to the network."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the manifest says that the network does not know."""

    name: str
    version: str
    max_tokens: int
    query_max_tokens: int
    document_template: str = "{title}\n{text}"
    calibration: Calibration | None = None


def export(
    network: Encoder | Ranker,
    codec: TextCodec,
    tokenizer_source: str | Path,
    directory: Path,
    options: ExportOptions,
    probe: Sequence[str],
) -> dict[str, float]:
    """Write `directory` and check it on `probe` texts; returns the parity per precision.

    The network's weights are rounded to bfloat16 in place, so that what git holds is exact.
    Raises ParityError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    network.eval()
    round_to_bfloat16(network)
    save_program(network, directory)
    save_tokenizer(codec.tokenizer, tokenizer_source, directory)
    encoder = isinstance(network, Encoder)
    manifest = ModelManifest(
        name=options.name,
        kind=Kind.ENCODER if encoder else Kind.RANKER,
        version=options.version,
        dimension=network.dimension if isinstance(network, Encoder) else None,
        max_tokens=options.max_tokens,
        query_max_tokens=options.query_max_tokens,
        pooling=network.pooling,
        templates={"query": "{query}", "document": options.document_template},
        pad_id=codec.pad_id,
        calibration=options.calibration,
        files=ModelFiles(
            program=file_of(directory / PROGRAM),
            weights=file_of(directory / WEIGHTS),
            tokenizer=file_of(directory / TOKENIZER_FILE),
        ),
    )
    write_manifest(directory, manifest)
    pack(directory)
    return _check(network, codec, directory, options, probe)


def round_to_bfloat16(network: paddle.nn.Layer) -> None:
    """Round every weight to the nearest bfloat16 (ties to even), kept as float32."""
    for parameter in network.parameters():
        bits = parameter.numpy().view(np.uint32)
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
        parameter.set_value(rounded.view(np.float32))


def _check(
    network: Encoder | Ranker,
    codec: TextCodec,
    directory: Path,
    options: ExportOptions,
    probe: Sequence[str],
) -> dict[str, float]:
    if isinstance(network, Encoder):
        items = codec.texts(probe, options.max_tokens)
    else:
        rotated = [*probe[1:], probe[0]]
        items = codec.pairs([*zip(probe, rotated, strict=True)], options.max_tokens)
    input_ids, type_ids = codec.batch(items)
    with paddle.no_grad():
        expected = network(paddle.to_tensor(input_ids), paddle.to_tensor(type_ids)).numpy()
    agreement = cosine if isinstance(network, Encoder) else correlation
    threads = PredictorOptions().thread_count()
    parity: dict[str, float] = {}
    for precision, least in MIN_PARITY.items():
        predictor = open_paddle(
            directory / PROGRAM, directory / WEIGHTS, threads=threads, precision=precision
        )
        parity[precision] = agreement(expected, predictor.run(input_ids, type_ids))
        log.info("parity %s: %.6f", precision, parity[precision])
        if not parity[precision] >= least:
            raise ParityError(
                f"the exported program agrees with the network to {parity[precision]:.4f} in "
                f"{precision}, at least {least} is needed"
            )
    return parity
