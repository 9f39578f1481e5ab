"""Makes the rows of a part: its words, and its vectors in batches sized by tokens."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice

from services.common.documents import Content, lead
from services.common.engine import Encoder, PredictorOptions, open_described
from services.common.engine.metrics import EngineMetrics
from services.common.engine.predictor import FloatArray
from services.common.engine.shelf import Shelf
from services.common.engine.tokens import Tokens
from services.common.errors import ModelInvalid, ModelUnavailable
from services.common.model_dir import ModelManifest
from services.common.model_dir.encoders import EncoderDirectories
from services.common.text import WordAnalyzer
from services.indexer.jobs.wire import Granted
from services.indexer.passages import cut
from services.indexer.rows import EncodedRows, PlannedDocument, Row, Vector, document_words

logger = logging.getLogger(__name__)

_CHECK_DOCUMENTS = 64
"""Documents between two looks at the lease, so that a cancelled part ends soon."""

_STUCK_SECONDS = 300.0
"""Seconds after which a forward pass of that many documents, which usually takes seconds, counts as
stuck."""


class WorkerEncoders:
    """The encoders of a worker, opened on demand within a bound of memory; thread-safe."""

    def __init__(
        self,
        directories: EncoderDirectories,
        default: Encoder,
        options: PredictorOptions,
        most_bytes: int,
    ) -> None:
        self.directories = directories
        self._default = default
        self._options = options
        self._shelf: Shelf[Encoder] = Shelf(most_bytes - directories.default.bytes)
        self._lock = threading.Lock()

    @contextmanager
    def using(self, fingerprint: str) -> Iterator[Encoder]:
        """An encoder that stays open while the block runs.

        Raises EncoderMismatch, ModelUnavailable.
        """
        directory = self.directories.of(fingerprint)
        if directory is self.directories.default:
            yield self._default
            return
        with self._lock:
            encoder = self._shelf.take(fingerprint)
            if encoder is None:
                self._shelf.make_room(directory.bytes)
                try:
                    opened = open_described(directory, self._options)
                except ModelInvalid as error:
                    logger.exception("an encoder cannot be opened")
                    raise ModelUnavailable(
                        f"The encoder {fingerprint} cannot be opened; the worker's log says why."
                    ) from error
                self._shelf.put(fingerprint, opened, directory.bytes)
                encoder = self._shelf.take(fingerprint)
                assert encoder is not None  # noqa: S101 - it was just put there
        try:
            yield encoder
        finally:
            with self._lock:
                self._shelf.give_back(fingerprint)


class PartEncoder:
    """Encodes parts for all threads of a worker: while one encodes, others read and write."""

    def __init__(self, encoders: WorkerEncoders, metrics: EngineMetrics | None = None) -> None:
        self._encoders = encoders
        self._metrics = metrics
        self._computing_since: float | None = None
        # One thread does all encoding, since an encoder is used from one thread at a time.
        self._computer = ThreadPoolExecutor(1, thread_name_prefix="forward")

    @property
    def fingerprints(self) -> Sequence[str]:
        """Fingerprints of the encoders."""
        return self._encoders.directories.fingerprints

    @property
    def stuck(self) -> bool:
        """Whether a forward pass has been under way for too long."""
        since = self._computing_since
        return since is not None and time.monotonic() - since > _STUCK_SECONDS

    def rows(
        self,
        documents: Sequence[PlannedDocument],
        analyzer: WordAnalyzer,
        check: Callable[[], None],
        granted: Granted,
    ) -> EncodedRows:
        """The rows of the documents, in their order, by each of the encoders of a lease.

        Vectors that documents bring are of the manifest's encoder, or else of the default one.
        `check` is called often and raises to stop. Raises InvalidRequest for a document that the
        index does not take, ModelUnavailable, EncoderMismatch.
        """
        # Words are cut first: they are cheap, and a document may be refused for them.
        words = [document_words(planned.document, analyzer, granted.types) for planned in documents]
        cuts = []
        for planned in documents:
            check()
            cuts.append(cut(planned.document, analyzer, granted.types))
        brought = self._encoders.directories.of(granted.manifest.encoder).fingerprint
        rows = {}
        for encoder in granted.encoders:
            ready = [planned.vector if encoder == brought else None for planned in documents]
            with self._encoders.using(encoder) as opened:
                manifest = opened.manifest
                texts = [_rendered(manifest, planned.document) for planned in documents]
                parts = [parts.rendered(manifest) for parts in cuts]
                ready += [None for several in parts for _ in several]
                texts += [text for several in parts for text in several]
                vectors = iter(self._vectors(opened, texts, ready, check))
            heads = list(islice(vectors, len(documents)))
            rows[encoder] = [
                Row(
                    planned.document,
                    of_document,
                    vector,
                    planned.version,
                    parts.encoded(list(islice(vectors, len(parts.spans)))),
                    analyzer.identity,
                )
                for planned, of_document, vector, parts in zip(
                    documents, words, heads, cuts, strict=True
                )
            ]
        return rows

    def _vectors(
        self,
        encoder: Encoder,
        rendered: Sequence[str],
        ready: Sequence[Vector | None],
        check: Callable[[], None],
    ) -> list[Vector]:
        """The vectors of rendered texts; those without a ready-made one are encoded."""
        vectors = list(ready)
        missing = [place for place, vector in enumerate(vectors) if vector is None]
        if missing:
            texts = [rendered[place] for place in missing]
            tokens = encoder.document_tokens(texts)
            # The documents are sorted here, so that the slices between two checks are of even
            # length too.
            order = sorted(range(len(missing)), key=lambda place: len(tokens[place]))
            for start in range(0, len(order), _CHECK_DOCUMENTS):
                check()
                chosen = order[start : start + _CHECK_DOCUMENTS]
                encoded = self._forward(encoder, [tokens[place] for place in chosen])
                for place, vector in zip(chosen, encoded, strict=True):
                    vectors[missing[place]] = vector
        return [vector for vector in vectors if vector is not None]

    def _forward(self, encoder: Encoder, texts: Sequence[Tokens]) -> FloatArray:
        return self._computer.submit(self._compute, encoder, texts).result()

    def _compute(self, encoder: Encoder, texts: Sequence[Tokens]) -> FloatArray:
        started = self._computing_since = time.monotonic()
        try:
            encoded = encoder.forward.many(texts)
        finally:
            self._computing_since = None
        if self._metrics:
            tokens = sum(map(len, texts))
            self._metrics.passed(len(texts), tokens, time.monotonic() - started)
        return encoded


def _rendered(manifest: ModelManifest, document: Content) -> str:
    """What the encoder reads of a document as a whole."""
    return manifest.document_text(document.title, lead(document))
