"""Hard negatives: what recall ranks high for a query although another text is the answer."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.common.engine.predictor import FloatArray
from training.data.pairs import Pair, normal

log = logging.getLogger(__name__)

_BLOCK = 256


@dataclass(frozen=True, slots=True)
class MiningOptions:
    count: int = 7
    """Negatives per query."""
    first: int = 1
    last: int = 50
    """Ranks from which negatives are drawn; the best of all is rank 1."""
    ceiling: float = 0.95
    """A text scoring above this share of the positive's score may be an answer too: left out."""
    seed: int = 1


def mine(
    pairs: Sequence[Pair],
    query_vectors: FloatArray,
    corpus: Sequence[str],
    corpus_vectors: FloatArray,
    options: MiningOptions,
) -> list[Pair]:
    """The pairs with negatives from `corpus`; pairs without enough of them are left out.

    query_vectors float32 [pairs, d], corpus_vectors float32 [corpus, d], both unit length.
    The filter compares cosines of the query (RocketQA, Qu et al., 2021, does so with a
    cross-encoder; NV-Retriever, Moreira et al., 2024, with a share of the positive's score).
    """
    rng = np.random.default_rng(options.seed)
    names = [normal(text) for text in corpus]
    row_of = {name: row for row, name in enumerate(names)}
    mined: list[Pair] = []
    for start in range(0, len(pairs), _BLOCK):
        scores = query_vectors[start : start + _BLOCK] @ corpus_vectors.T
        depth = min(options.last, scores.shape[1])
        best = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        for offset, row in enumerate(best):
            pair = pairs[start + offset]
            line = scores[offset]
            ranked = row[np.argsort(-line[row], kind="stable")][options.first - 1 :]
            positive = row_of.get(normal(pair.title))
            limit = options.ceiling * float(line[positive]) if positive is not None else np.inf
            allowed = [
                index
                for index in ranked
                if index != positive and line[index] < limit and names[index] != normal(pair.query)
            ]
            if len(allowed) < options.count:
                continue
            drawn = rng.permutation(len(allowed))[: options.count]
            negatives = tuple(corpus[allowed[at]] for at in sorted(drawn))
            mined.append(Pair(pair.query, pair.title, pair.key, pair.group, negatives))
    log.info("negatives for %d of %d pairs", len(mined), len(pairs))
    return mined


def write_mined(path: Path, pairs: Sequence[Pair]) -> None:
    """`query<TAB>title<TAB>negative...` lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        for pair in pairs:
            cells = (pair.query, pair.title, *pair.negatives)
            stream.write("\t".join(" ".join(cell.split()) for cell in cells) + "\n")
