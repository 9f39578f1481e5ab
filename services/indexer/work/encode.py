"""From the documents of a part to rows: words, vectors in token-sized batches."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from services.common.engine import Encoder
from services.common.engine.metrics import EngineMetrics
from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import Tokens
from services.common.text import Analyzers, WordAnalyzer
from services.indexer.rows import PlannedDocument, Row, Vector, document_row

_CHECK_DOCUMENTS = 64
"""Documents between two looks at the lease: bounds how long a cancelled part goes on."""

_STUCK_SECONDS = 300.0
"""That many documents take seconds; after this long they will not end."""


class PartEncoder:
    """Shared by the worker's threads: while one encodes, others read, tokenize and write."""

    def __init__(
        self, encoder: Encoder, analyzers: Analyzers, metrics: EngineMetrics | None = None
    ) -> None:
        self._encoder = encoder
        self.analyzers = analyzers
        self._metrics = metrics
        self._computing_since: float | None = None
        # One thread: an encoder is used from one at a time.
        self._computer = ThreadPoolExecutor(1, thread_name_prefix="forward")

    @property
    def fingerprint(self) -> str:
        return self._encoder.manifest.fingerprint

    @property
    def stuck(self) -> bool:
        """Whether a forward pass has been under way for far too long."""
        since = self._computing_since
        return since is not None and time.monotonic() - since > _STUCK_SECONDS

    def rows(
        self,
        documents: Sequence[PlannedDocument],
        analyzer: WordAnalyzer,
        check: Callable[[], None],
    ) -> list[Row]:
        """In the order of the documents. `check` is called often and raises to stop."""
        vectors = self._vectors(documents, check)
        rows = []
        for planned, vector in zip(documents, vectors, strict=True):
            row = document_row(planned.document, vector, analyzer)
            rows.append(replace(row, version=planned.version))
        return rows

    def _vectors(
        self, documents: Sequence[PlannedDocument], check: Callable[[], None]
    ) -> list[Vector]:
        vectors = [planned.vector for planned in documents]
        missing = [place for place, vector in enumerate(vectors) if vector is None]
        if missing:
            manifest = self._encoder.manifest
            texts = [
                manifest.document_text(
                    documents[place].document.title, documents[place].document.text
                )
                for place in missing
            ]
            tokens = self._encoder.document_tokens(texts)
            # Sorted here, so that the slices between two checks are even in length too.
            order = sorted(range(len(missing)), key=lambda place: len(tokens[place]))
            for start in range(0, len(order), _CHECK_DOCUMENTS):
                check()
                chosen = order[start : start + _CHECK_DOCUMENTS]
                encoded = self._forward([tokens[place] for place in chosen])
                for place, vector in zip(chosen, encoded, strict=True):
                    vectors[missing[place]] = vector
        return [vector for vector in vectors if vector is not None]

    def _forward(self, texts: Sequence[Tokens]) -> FloatArray:
        return self._computer.submit(self._compute, texts).result()

    def _compute(self, texts: Sequence[Tokens]) -> FloatArray:
        started = self._computing_since = time.monotonic()
        try:
            encoded = self._encoder.forward.many(texts)
        finally:
            self._computing_since = None
        if self._metrics:
            tokens = sum(map(len, texts))
            self._metrics.passed(len(texts), tokens, time.monotonic() - started)
        return encoded
