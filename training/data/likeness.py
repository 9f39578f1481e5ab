"""Likeness of documents by their words: latent semantic analysis, without a network."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from services.common.engine.predictor import FloatArray
from training.data.pairs import Pair
from training.failures import DataInvalid

PairVectors = Callable[[Sequence[Pair]], FloatArray]
"""Gives a vector for each pair, float32 [pairs, dimension]."""

_DIMENSION = 128
_RARE, _FREQUENT = 3, 0.2
"""Bigrams in fewer texts, or in a larger share of them, are left out, since they say nothing about
likeness."""
_FEW_TEXTS = 1000
"""Number of texts below which every bigram counts."""

_ALIKE = "alike: words finds nothing that tells the documents apart; leave it out"


def likeness_by_words(texts: Mapping[str, str], seed: int) -> PairVectors:
    """Vectors of texts by their character bigrams (Deerwester et al., 1990), by key.

    TF-IDF over the bigrams is reduced to the directions of most variance. For 30,000 abstracts that
    takes seconds where a network of 12 layers takes ten minutes. Raises DataInvalid if no bigrams
    tell the texts apart.
    """
    few = len(texts) < _FEW_TEXTS
    bigrams = TfidfVectorizer(
        analyzer="char",
        ngram_range=(2, 2),
        sublinear_tf=True,
        min_df=1 if few else _RARE,
        max_df=1.0 if few else _FREQUENT,
        dtype=np.float32,
    )
    try:
        weights = bigrams.fit_transform(texts.values())
    except ValueError as error:  # No bigram is left.
        raise DataInvalid(_ALIKE) from error
    dimension = min(_DIMENSION, weights.shape[1] - 1)
    if not dimension:
        raise DataInvalid(_ALIKE)
    vectors = TruncatedSVD(dimension, random_state=seed).fit_transform(weights)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + np.finfo(np.float32).tiny
    by_key = dict(zip(texts, vectors.astype(np.float32), strict=True))
    return lambda pairs: np.stack([by_key[pair.key] for pair in pairs])
