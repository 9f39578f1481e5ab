"""The sample's documents again and again, with vectors.

Document n is document n modulo 9,000 of the sample, with ` (t)` after its title in the t-th repeat.
Its vector is that of the sample's document, plus random noise of the length NOISE, brought to
length 1. So titles, words, abstracts and vectors are those of real papers, and no two documents are
equal.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.texts import DATA
from services.common.documents import Document, lead
from services.common.engine import open_encoder
from services.indexer.rows import Vector

NOISE = 0.3


def repeated(count: int) -> Iterator[Document]:
    """Yields the first `count` documents."""
    sample = _sample()
    for number in range(count):
        turn, at = divmod(number, len(sample))
        title = f"{sample[at].title} ({turn})" if turn else sample[at].title
        yield sample[at].model_copy(update={"id": f"g{number}", "title": title})


def write_vectors(path: Path, count: int, model: Path) -> None:
    """Writes the vectors of the first `count` documents, by the encoder in a model directory, as
    one matrix of .npy."""
    base = _encoded(model, min(count, len(_sample())))
    shape = (count, base.shape[1])
    matrix = np.lib.format.open_memmap(path, "w+", dtype=np.float32, shape=shape)
    random = np.random.default_rng(1)
    for start in range(0, count, len(base)):
        rows = base[: count - start]
        if start:
            noise = random.standard_normal(rows.shape).astype(np.float32)
            rows = rows + NOISE * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        matrix[start : start + len(rows)] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    matrix.flush()


@cache
def _encoded(model: Path, count: int) -> Vector:
    """The vectors of the first documents of the sample."""
    encoder = open_encoder(model)
    texts = [encoder.manifest.document_text(one.title, lead(one)) for one in _sample()[:count]]
    return encoder.encode(texts)


@cache
def _sample() -> list[Document]:
    return [
        Document.model_validate(json.loads(line))
        for name in ("literature_papers", "literature_titles")
        for line in (DATA / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
