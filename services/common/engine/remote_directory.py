"""Directories of models that compute elsewhere.

Such a directory holds no weights. `remote.json` names protocol and model, `probe.npy` holds the
model's answers to fixed texts when the directory was made, and `endpoint.json` holds the address.
The first two decide the fingerprint: a model may move to another address, but a model that answers
the fixed texts differently is refused, like a local one with other weights.
"""

import json
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from services.common.engine.predictor import FloatArray
from services.common.engine.remote import (
    Endpoint,
    RemoteForward,
    RemoteModel,
    RemotePredictor,
    RemoteTexts,
)
from services.common.errors import ModelInvalid, ModelUnavailable
from services.common.model_dir import (
    ModelFiles,
    ModelKind,
    ModelManifest,
    Normalisation,
    file_of,
    write_manifest,
)
from services.common.model_dir.manifest import Templates
from services.common.validation import first_reason

REMOTE, ENDPOINT, PROBE = "remote.json", "endpoint.json", "probe.npy"
PROBE_TEXTS = (
    "学术文献检索",
    "国有企业混合所有制改革与创新绩效",
    "semantic search of Chinese text",
    "如何降低糖尿病患者的心血管风险？",
)
"""Fixed texts by which a model is recognised; a ranker scores all of them for the first one."""
LEAST_AGREEMENT = 0.999
"""Least cosine to the stored answers. Servers round differently by batch and by hardware."""
MOST_DIFFERENCE = 0.05
"""Largest difference of a ranker's logits to the stored ones."""

T = TypeVar("T", bound=BaseModel)


def is_remote(manifest: ModelManifest) -> bool:
    """Whether the model computes elsewhere."""
    return manifest.files.program.file == REMOTE


def open_remote(directory: Path, manifest: ModelManifest) -> RemoteForward:
    """Opens a remote model and recognises it by its probe. Raises ModelInvalid."""
    model = _read(directory / REMOTE, RemoteModel)
    endpoint = _read(directory / ENDPOINT, Endpoint)
    forward = RemoteForward(RemotePredictor(model, endpoint))
    try:
        now = probe(forward, manifest.kind is ModelKind.RANKER, manifest.max_tokens)
    except ModelUnavailable as error:
        forward.predictor.close()
        raise ModelInvalid(f"model {directory.name}: {error}; is {endpoint.url} up?") from error
    if not agrees(np.load(directory / PROBE), now):
        forward.predictor.close()
        raise ModelInvalid(
            f"model {directory.name}: {model.model} at {endpoint.url} is not the model that it was "
            "when this directory was made; make a new one with `xunwen import remote`"
        )
    return forward


def probe(forward: RemoteForward, ranker: bool, max_tokens: int) -> FloatArray:
    """The answers of a model to the fixed texts. Raises ModelUnavailable."""
    texts = RemoteTexts(max_tokens)
    if ranker:
        return forward.many(texts.pairs(PROBE_TEXTS[0], PROBE_TEXTS))
    return forward.many(texts.singles(PROBE_TEXTS))


def agrees(stored: FloatArray, now: FloatArray) -> bool:
    """Whether two answers to the fixed texts come from one model."""
    if stored.shape != now.shape:
        return False
    if stored.ndim == 1:
        return bool(np.abs(stored - now).max() <= MOST_DIFFERENCE)
    return bool((stored * now).sum(axis=1).min() >= LEAST_AGREEMENT)


def _read(path: Path, kind: type[T]) -> T:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ModelInvalid(f"model {path.parent.name}: {path.name} is missing") from None
    except ValidationError as error:
        raise ModelInvalid(
            f"model {path.parent.name}: {path.name}: {first_reason(error)}"
        ) from error


def write_remote(
    directory: Path,
    model: RemoteModel,
    endpoint: Endpoint,
    templates: Templates,
    max_tokens: tuple[int, int],
) -> ModelManifest:
    """Makes the directory of a remote model from its answers to the fixed texts; returns its
    manifest.

    `max_tokens` are the limits of a document or pair, and of a query. Raises ModelUnavailable.
    """
    ranker = model.protocol != "openai"
    forward = RemoteForward(RemotePredictor(model, endpoint))
    try:
        answers = probe(forward, ranker, max_tokens[0])
    finally:
        forward.predictor.close()
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in ((REMOTE, model), (ENDPOINT, endpoint)):
        text = json.dumps(content.model_dump(), ensure_ascii=False, indent=1)
        (directory / name).write_text(text + "\n", encoding="utf-8")
    np.save(directory / PROBE, answers)
    described = file_of(directory / REMOTE)
    manifest = ModelManifest(
        name=model.model,
        kind=ModelKind.RANKER if ranker else ModelKind.ENCODER,
        version="remote",
        dimension=None if ranker else answers.shape[1],
        max_tokens=max_tokens[0],
        query_max_tokens=max_tokens[1],
        pooling="mean",  # Texts are sent as they are: the remote model normalises them itself.
        templates=templates,
        normalisation=Normalisation(),
        pad_id=0,
        precisions=("fp32",),
        files=ModelFiles(
            program=described, weights=file_of(directory / PROBE), tokenizer=described
        ),
    )
    write_manifest(directory, manifest)
    return manifest
