"""Similarity of pairs and vectors of texts, by the models as they are served."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.common.engine import Encoder, Ranker
from services.common.odds import probability


def text_vectors(encoder: Encoder, texts: Sequence[str], *, queries: bool) -> NDArray[np.float32]:
    """Unit vectors float32 [texts, dimension] of texts as queries, or as documents without a
    title."""
    if queries:
        return encoder.encode_queries(texts)
    return encoder.encode([encoder.manifest.document_text("", text) for text in texts])


def similarities(encoder: Encoder, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
    """Cosine of each (query, title), float32 [pairs], -1 to 1."""
    if not pairs:
        return np.empty(0, dtype=np.float32)
    queries = encoder.encode_queries([query for query, _ in pairs])
    titles = encoder.encode([encoder.manifest.document_text(title, "") for _, title in pairs])
    cosines: NDArray[np.float32] = np.einsum("ij,ij->i", queries, titles)
    return cosines


def relevances(ranker: Ranker, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
    """Calibrated relevance of each (query, title), float32 [pairs], 0 to 1."""
    if not pairs:
        return np.empty(0, dtype=np.float32)
    tokens = [
        ranker.pair_tokens(query, [ranker.manifest.document_text(title, "")])[0]
        for query, title in pairs
    ]
    logits = ranker.forward.many(tokens)
    odds = ranker.manifest.log_odds(logits).astype(float)
    return probability(odds).astype(np.float32)
