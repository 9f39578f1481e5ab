"""Searches articles exactly, with the encoder, the words and the grouping of the services."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from benchmarks.articles import Articles
from services.common.collection import PassageKey
from services.common.documents import lead, lexical_source
from services.common.engine import Encoder
from services.common.text import WordAnalyzer
from services.common.wire.rank import MAX_TEXT_CHARS
from services.indexer.passages import Cut
from services.recall.domain import Found
from services.recall.milvus.passage_search import PassageFound, by_best_passage
from training.evaluation.bm25 import Bm25

DEPTH = 1000
"""Most documents and passages that a leg finds."""
Scores = npt.NDArray[np.float32]


class ArticleIndex:
    """Articles indexed with some of their passages, and what is found in them."""

    def __init__(
        self, articles: Articles, passages: Sequence[Cut], encoder: Encoder, analyzer: WordAnalyzer
    ) -> None:
        self._articles = articles
        self._analyzer = analyzer
        manifest = encoder.manifest
        documents = articles.documents
        self.texts = {one.id: lead(one)[: 2 * encoder.manifest.max_tokens] for one in documents}
        self.parts = {one.document.id: one for one in passages}
        self._keys = [
            PassageKey(one.document.id, 0, number)
            for one in passages
            for number in range(len(one.spans))
        ]
        heads = [manifest.document_text(one.title, lead(one)) for one in documents]
        rendered = [text for one in passages for text in one.rendered(manifest)]
        vectors = encoder.encode([*heads, *rendered])
        self._heads, self._passages = vectors[: len(heads)], vectors[len(heads) :]
        self._head_words = _bm25(
            [f"{lexical_source(one)}\n{one.body}" for one in documents], analyzer
        )
        texts = [words for one in passages for words in _sources(one)]
        self._passage_words = _bm25(texts, analyzer) if texts else None

    def __len__(self) -> int:
        return len(self._keys)

    def legs(
        self, queries: Sequence[str], vectors: Scores
    ) -> Iterator[tuple[list[Found], list[Found]]]:
        """The documents that the dense and the lexical leg find, for each query."""
        for query, vector in zip(queries, vectors, strict=True):
            dense = self._leg(self._heads @ vector, self._passages @ vector)
            none = np.zeros(0, np.float32)
            words = self._passage_words.scores([query])[0] if self._passage_words else none
            yield (
                dense,
                [one for one in self._leg(self._head_words.scores([query])[0], words) if one.score],
            )

    def _leg(self, heads: Scores, passages: Scores) -> list[Found]:
        documents = self._articles.documents
        own = [Found(documents[at].id, float(heads[at])) for at in _best(heads)]
        found = [PassageFound(self._keys[at], float(passages[at])) for at in _best(passages)]
        return by_best_passage(own, found, {one.id: 0 for one in documents})[:DEPTH]

    def shown(self, found: Found) -> str:
        """The text of a hit: its best passage, or the beginning that the encoder reads."""
        parts = self.parts.get(found.id)
        if not found.passages or parts is None:
            return self.texts[found.id]
        span = parts.spans[found.passages[0][0]]
        return parts.document.body[span.start : span.end]

    def read_by_rank(self, found: Found) -> str:
        """The text that rank reads of a document beside its title."""
        parts = self.parts.get(found.id)
        if not found.passages or parts is None:
            return self.texts[found.id]
        spans = [parts.spans[number] for number, _ in found.passages[:2]]
        texts = [parts.document.body[one.start : one.end].strip() for one in spans]
        return "\n".join(texts)[:MAX_TEXT_CHARS]


def _sources(parts: Cut) -> list[str]:
    document = parts.document
    return [
        f"{document.title}\n{span.section}\n{document.body[span.start : span.end]}"
        for span in parts.spans
    ]


def _bm25(texts: Sequence[str], analyzer: WordAnalyzer) -> Bm25:
    return Bm25(texts, analyzer.document_words, analyzer.query_words)


def _best(scores: Scores) -> list[int]:
    order: list[int] = np.argsort(-scores, kind="stable").tolist()
    return list(islice(order, DEPTH))
