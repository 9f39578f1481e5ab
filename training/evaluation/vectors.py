"""Vectors of a corpus, kept between runs."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.engine import Encoder
from training import durable
from training.evaluation.tasks import Corpus


def document_vectors(corpus: Corpus, encoder: Encoder, cache: Path | None) -> NDArray[np.float32]:
    """The vectors of a corpus, float32 [documents, dimension], kept in `cache` for each program and
    content."""
    rendered = [
        encoder.manifest.document_text(title, text)
        for title, text in zip(corpus.titles, corpus.texts, strict=True)
    ]
    if cache is None:
        return encoder.encode(rendered)
    path = cache / f"{_program(encoder)}-{corpus.digest}.npy"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        made = encoder.encode(rendered)
        durable.replace(path, lambda stream: np.save(stream, made))
    vectors: NDArray[np.float32] = np.load(path)
    return vectors


def _program(encoder: Encoder) -> str:
    """Name of the program that made the vectors; int8 programs of one fingerprint may differ
    between processors."""
    int8 = encoder.manifest.files.int8
    name = f"{encoder.manifest.fingerprint}-{encoder.precision}"
    return f"{name}-{int8.sha256[:16]}" if encoder.precision == "int8" and int8 else name
