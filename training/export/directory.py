"""Writes a trained network as a model directory: program, weights, tokenizer, manifest."""

import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import paddle
from pydantic import ValidationError

from services.common.engine import PredictorOptions
from services.common.engine.paddle import open_paddle
from services.common.engine.tokens import Tokens, pad
from services.common.model_dir import (
    MANIFEST,
    Calibration,
    ModelFiles,
    ModelKind,
    ModelManifest,
    file_of,
    write_manifest,
)
from services.common.model_dir.manifest import Templates
from services.common.validation import first_reason
from training import durable
from training.export.parity import correlation, cosine, probe_pairs
from training.export.program import PROGRAM, WEIGHTS, save_program
from training.failures import ModelUnknown, ParityError
from training.networks.body import check_positions
from training.networks.directory import Ranker, describe
from training.networks.encoder import Encoder
from training.networks.exported import write_architecture
from training.networks.tokenization import NORMALISATION, TOKENIZER_FILE, TextCodec, save_tokenizer

log = logging.getLogger(__name__)

MIN_PARITY: dict[Literal["fp32", "bf16"], float] = {"fp32": 0.999, "bf16": 0.99}
"""Least cosine (encoder) or correlation (ranker) of the exported program to the network."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The members of the manifest that the network does not hold."""

    name: str
    version: str
    max_tokens: int
    query_max_tokens: int
    calibration: Calibration | None = None


@contextmanager
def draft_of(directory: Path) -> Iterator[Path]:
    """An empty folder, whose files become those of a model directory when the block ends; other
    files of the directory stay.

    If the block fails, the directory stays as it was, so that no refused model can be served.
    """
    directory = directory.resolve()
    directory.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{directory.name}-", dir=directory.parent) as folder:
        draft = Path(folder) / directory.name
        draft.mkdir()
        yield draft
        if os.path.ismount(directory):  # It cannot be renamed.
            _copy(draft, directory)
            return
        if directory.exists():
            _add_others(directory, draft)
        durable.put(draft, directory)


def _add_others(directory: Path, draft: Path) -> None:
    """Copies what a directory has beside the files of a draft, and its permissions, to the
    draft."""
    for path in directory.iterdir():
        if (other := draft / path.name).exists():
            continue
        if path.is_dir():
            shutil.copytree(path, other, symlinks=True)
        else:
            shutil.copy2(path, other, follow_symlinks=False)
    shutil.copystat(directory, draft)


def _copy(draft: Path, directory: Path) -> None:
    """Copies a draft into a directory, which is no model until all of it is there."""
    (directory / MANIFEST).unlink(missing_ok=True)
    shutil.copytree(draft, directory, ignore=shutil.ignore_patterns(MANIFEST), dirs_exist_ok=True)
    durable.sync(directory)
    manifest = (draft / MANIFEST).read_bytes()
    durable.replace(directory / MANIFEST, lambda stream: stream.write(manifest))


def export(
    network: Encoder | Ranker,
    codec: TextCodec,
    tokenizer_source: str | Path,
    directory: Path,
    options: ExportOptions,
    probe: Sequence[str],
) -> dict[str, float]:
    """Writes `directory` and checks it on `probe` texts; returns the parity per precision.

    The manifest allows bfloat16 only if it agrees well enough. Packing the weights, which takes a
    minute, is left to the caller. The network's weights are rounded to bfloat16 in place, so that
    the packed ones in git are exact. Raises ParityError, ModelUnknown for options that no manifest
    can have, and PositionsExceeded before anything is written.
    """
    limits = {"max_tokens": options.max_tokens, "query_max_tokens": options.query_max_tokens}
    check_positions(network.body, limits)
    directory.mkdir(parents=True, exist_ok=True)
    network.eval()
    round_to_bfloat16(network)
    save_program(network, directory, network.inputs)
    save_tokenizer(codec.tokenizer, tokenizer_source, directory)
    write_architecture(directory, network, directory / PROGRAM, describe(network))
    encoder = isinstance(network, Encoder)
    manifest = _manifest(
        name=options.name,
        kind=ModelKind.ENCODER if encoder else ModelKind.RANKER,
        version=options.version,
        dimension=network.dimension if isinstance(network, Encoder) else None,
        max_tokens=options.max_tokens,
        query_max_tokens=options.query_max_tokens,
        pooling=network.pooling,
        templates=Templates(
            query=network.prefixes.query + "{query}",
            document=network.prefixes.document + "{title}\n{text}",
        ),
        normalisation=NORMALISATION,
        pad_id=codec.pad_id,
        inputs=network.inputs,
        calibration=options.calibration,
        files=ModelFiles(
            program=file_of(directory / PROGRAM),
            weights=file_of(directory / WEIGHTS),
            tokenizer=file_of(directory / TOKENIZER_FILE),
        ),
    )
    write_manifest(directory, manifest)
    parity = _parity(network, codec, directory, manifest, probe)
    if not parity["fp32"] >= MIN_PARITY["fp32"]:
        raise ParityError(_disagreement("fp32", parity))
    if not parity["bf16"] >= MIN_PARITY["bf16"]:
        log.warning("the model is not served in bf16: %s", _disagreement("bf16", parity))
        write_manifest(directory, manifest.model_copy(update={"precisions": ("fp32",)}))
    return parity


def _manifest(**members: Any) -> ModelManifest:
    try:
        return ModelManifest(**members)
    except ValidationError as error:
        raise ModelUnknown(first_reason(error)) from error


def round_to_bfloat16(network: paddle.nn.Layer) -> None:
    """Rounds every weight to the nearest bfloat16 (ties to even), kept as float32."""
    for parameter in network.parameters():
        bits = parameter.numpy().view(np.uint32)
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
        parameter.set_value(rounded.view(np.float32))


def _disagreement(precision: Literal["fp32", "bf16"], parity: Mapping[str, float]) -> str:
    return (
        f"the exported program agrees with the network to {parity[precision]:.4f} in {precision},"
        f" at least {MIN_PARITY[precision]} is needed"
    )


def _parity(
    network: Encoder | Ranker,
    codec: TextCodec,
    directory: Path,
    manifest: ModelManifest,
    probe: Sequence[str],
) -> dict[str, float]:
    if isinstance(network, Encoder):
        items = codec.documents(probe, manifest.max_tokens)
    else:
        items = codec.pairs(probe_pairs(probe), manifest.max_tokens)
    tokens = [Tokens(*item) for item in items]
    inputs = pad(tokens, codec.pad_id, max(map(len, tokens)), manifest.inputs)
    with paddle.no_grad():
        expected = network(*map(paddle.to_tensor, inputs)).numpy()
    agreement = cosine if isinstance(network, Encoder) else correlation
    threads = PredictorOptions().thread_count()
    parity: dict[str, float] = {}
    for precision in MIN_PARITY:
        predictor = open_paddle(
            directory / PROGRAM,
            directory / WEIGHTS,
            threads=threads,
            precision=precision,
            inputs=manifest.inputs,
        )
        parity[precision] = agreement(expected, predictor.run(*inputs))
        log.info("parity %s: %.6f", precision, parity[precision])
    return parity
