"""BM25 over Chinese words, the baseline of every table (Lucene's form, k1 1.5, b 0.75)."""

import logging
from collections.abc import Callable, Sequence

import bm25s
import numpy as np
from numpy.typing import NDArray

K1, B = 1.5, 0.75

Words = Callable[[str], list[str]]


class Bm25:
    """Scores every document of a corpus for a query."""

    def __init__(self, texts: Sequence[str], words: Words, query_words: Words) -> None:
        logging.getLogger("bm25s").setLevel(logging.WARNING)
        self._query_words = query_words
        self._documents = len(texts)
        cut = [words(text) for text in texts]
        self._index: bm25s.BM25 | None = None  # bm25s takes no corpus without words.
        if any(cut):
            self._index = bm25s.BM25(k1=K1, b=B, method="lucene")
            self._index.index(cut, show_progress=False)

    def scores(self, queries: Sequence[str]) -> NDArray[np.float32]:
        """Scores as float32 [queries, documents]; 0 where a query and a document share no word."""
        return np.stack([self._scores(self._query_words(query)) for query in queries])

    def _scores(self, words: list[str]) -> NDArray[np.float32]:
        if self._index is None or not words:
            return np.zeros(self._documents, np.float32)
        scores: NDArray[np.float32] = self._index.get_scores(words)
        return scores
