"""The two kinds of model as plain synchronous classes."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from services.common.engine.choice import open_predictor
from services.common.engine.forward import Forward
from services.common.engine.predictor import FloatArray, PredictorOptions
from services.common.engine.remote import RemoteForward, RemoteTexts
from services.common.engine.remote_directory import is_remote, open_remote
from services.common.engine.tokens import TextTokenizer, Tokens
from services.common.errors import ModelInvalid, ModelUnavailable
from services.common.model_dir import ModelKind, ModelManifest, load_manifest
from services.common.model_dir.encoders import EncoderDirectory
from services.common.precision import Precision

_BLOCK = 8192
"""Number of texts whose tokens are in memory at a time: those of a long text take 15 kB."""


class Encoder:
    """Makes vectors of texts. Use it from one thread at a time."""

    def __init__(
        self,
        manifest: ModelManifest,
        forward: Forward | RemoteForward,
        documents: TextTokenizer | RemoteTexts,
        queries: TextTokenizer | RemoteTexts,
        precision: Precision,
    ) -> None:
        self.manifest = manifest
        self.forward = forward
        self.precision = precision
        self._documents = documents
        self._queries = queries

    @property
    def dimension(self) -> int:
        """Number of dimensions of a vector."""
        assert self.manifest.dimension is not None  # noqa: S101 - the manifest checked it
        return self.manifest.dimension

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors float32 [n, dimension] of rendered document texts.

        Raises ModelUnavailable.
        """
        return self._vectors(texts, self.document_tokens)

    def encode_queries(self, queries: Sequence[str]) -> FloatArray:
        """Unit vectors float32 [n, dimension] of queries. Raises ModelUnavailable."""
        return self._vectors(queries, self.query_tokens)

    def document_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """Token sequences of rendered document texts, cut to what the model reads."""
        return self._documents.singles(texts)

    def query_tokens(self, queries: Sequence[str]) -> list[Tokens]:
        """Token sequences of queries, in normal form and template, cut to what the model reads."""
        return self._queries.singles([self.manifest.query_text(query) for query in queries])

    def _vectors(
        self, texts: Sequence[str], tokens: Callable[[Sequence[str]], list[Tokens]]
    ) -> FloatArray:
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), _BLOCK):
            block = texts[start : start + _BLOCK]
            vectors[start : start + len(block)] = self.forward.many(tokens(block))
        return vectors


class Ranker:
    """Makes relevance logits of pairs of a query and a text. Use it from one thread at a time."""

    def __init__(
        self,
        manifest: ModelManifest,
        forward: Forward | RemoteForward,
        tokenizer: TextTokenizer | RemoteTexts,
        precision: Precision,
    ) -> None:
        self.manifest = manifest
        self.forward = forward
        self.precision = precision
        self._tokenizer = tokenizer

    def score(self, query: str, texts: Sequence[str]) -> FloatArray:
        """Raw logits float32 [n] of a query with each rendered text. Raises ModelUnavailable."""
        if not texts:
            return np.empty(0, dtype=np.float32)
        return self.forward.many(self.pair_tokens(query, texts))

    def pair_tokens(self, query: str, texts: Sequence[str]) -> list[Tokens]:
        """Token sequences of a query with each rendered text, cut to what the model reads."""
        return self._tokenizer.pairs(self.manifest.query_text(query), texts)


def open_encoder(directory: Path | str, options: PredictorOptions | None = None) -> Encoder:
    """Loads an encoder from its model directory. Raises ModelInvalid."""
    directory = Path(directory)
    manifest = _manifest(directory, ModelKind.ENCODER)
    if is_remote(manifest):
        return Encoder(
            manifest,
            open_remote(directory, manifest),
            RemoteTexts(manifest.max_tokens),
            RemoteTexts(manifest.query_max_tokens),
            "fp32",
        )
    forward, precision = _open(directory, manifest, options or PredictorOptions())
    tokenizer = directory / manifest.files.tokenizer.file
    return Encoder(
        manifest,
        forward,
        TextTokenizer(tokenizer, manifest.max_tokens),
        TextTokenizer(tokenizer, manifest.query_max_tokens),
        precision,
    )


def open_described(described: EncoderDirectory, options: PredictorOptions | None = None) -> Encoder:
    """Loads an encoder whose directory was read before. Raises ModelInvalid, also if the directory
    holds another encoder by now: its vectors would be compared with those of the one before."""
    encoder = open_encoder(described.directory, options)
    if encoder.manifest.fingerprint != described.fingerprint:
        raise ModelInvalid(
            f"model {described.directory.name}: it is the encoder {encoder.manifest.fingerprint}"
            f" now and was {described.fingerprint} when this process started; put its files back,"
            " or restart the services"
        )
    return encoder


def open_ranker(directory: Path | str, options: PredictorOptions | None = None) -> Ranker:
    """Loads a ranker from its model directory. Raises ModelInvalid."""
    directory = Path(directory)
    manifest = _manifest(directory, ModelKind.RANKER)
    if is_remote(manifest):
        remote = open_remote(directory, manifest)
        return Ranker(manifest, remote, RemoteTexts(manifest.max_tokens), "fp32")
    forward, precision = _open(directory, manifest, options or PredictorOptions())
    tokenizer = directory / manifest.files.tokenizer.file
    return Ranker(manifest, forward, TextTokenizer(tokenizer, manifest.max_tokens), precision)


def _manifest(directory: Path, kind: ModelKind) -> ModelManifest:
    manifest = load_manifest(directory)
    if manifest.kind is not kind:
        raise ModelInvalid(f"{directory.name} is a model of kind {manifest.kind}, not {kind}")
    return manifest


def _open(
    directory: Path, manifest: ModelManifest, options: PredictorOptions
) -> tuple[Forward, Precision]:
    predictor, precision = open_predictor(directory, manifest, options)
    forward = Forward(predictor, manifest.pad_id, manifest.inputs)
    _check(directory, manifest, forward)
    return forward, precision


def _check(directory: Path, manifest: ModelManifest, forward: Forward) -> None:
    """Raises ModelInvalid if the program does not answer as the manifest says. A manifest without
    a fingerprint may have been edited or copied from another model."""
    expected = (1,) if manifest.dimension is None else (1, manifest.dimension)
    try:
        answered = forward.batch([Tokens([0 if manifest.pad_id else 1], [0])]).shape
    except ModelUnavailable as error:
        raise ModelInvalid(
            f"model {directory.name}: its program does not read {', '.join(manifest.inputs)}, the"
            " inputs of the manifest; export or import the model again"
        ) from error
    if answered != expected:
        raise ModelInvalid(
            f"model {directory.name}: its program answers {[*answered]} for one text, and the"
            f" manifest describes {[*expected]}; export or import the model again"
        )
