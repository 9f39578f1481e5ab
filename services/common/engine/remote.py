"""Forward passes of models that compute elsewhere, by OpenAI's embeddings or Jina's and TEI's
rerank.

`services.common.engine.remote_directory` says how the directory of such a model is made and opened.
"""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from weakref import finalize

import httpx
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from services.common.calls.certificates import trusted
from services.common.calls.proxies import asks_proxies
from services.common.engine.batches import Passes
from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import Tokens
from services.common.errors import ModelUnavailable

log = logging.getLogger(__name__)

_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_ATTEMPTS = 3
_PAUSE_SECONDS = 0.2
"""Pause before the second attempt; it doubles with each further one."""
_LONGEST_PAUSE_SECONDS = 2.0
_TOKENS_PER_CHARACTER = 0.7
_SPECIAL_TOKENS = 8
_LEAST_SHARE = 1e-6

Protocol = Literal["openai", "jina", "tei"]


class RemoteModel(BaseModel):
    """The protocol, name and limits of a remote model, which are part of its identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: Protocol
    model: str = Field(min_length=1)


class Endpoint(BaseModel):
    """The address of a remote model and the way to call it, which are not part of its identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^https?://")
    key_variable: str | None = Field(
        default=None, description="Environment variable that holds the API key"
    )
    timeout_seconds: float = Field(default=10.0, gt=0)
    batch: int = Field(default=32, ge=1, description="Most texts of one request")
    at_once: int = Field(default=4, ge=1, description="Most requests that run at the same time")


@dataclass(frozen=True, slots=True)
class RemoteText(Tokens):
    """A text that is tokenized elsewhere; `ids` has about as many entries as it has tokens."""

    text: str
    query: str | None
    """The query of a pair; None for a text alone."""


class RemoteTexts:
    """Cuts texts to a length, as a tokenizer does, and leaves the tokens to the remote model."""

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._max_chars = int(max_tokens / _TOKENS_PER_CHARACTER)

    def singles(self, texts: Sequence[str]) -> list[Tokens]:
        """One sequence for each text."""
        return [self._text(text, None) for text in texts]

    def pairs(self, left: str, rights: Sequence[str]) -> list[Tokens]:
        """One sequence for `left` with each of `rights`."""
        return [self._text(right, left) for right in rights]

    def _text(self, text: str, query: str | None) -> Tokens:
        kept = text[: self._max_chars]
        characters = len(kept) + len(query or "")
        tokens = min(self._max_tokens, _SPECIAL_TOKENS + int(characters * _TOKENS_PER_CHARACTER))
        return RemoteText([0] * tokens, [], kept, query)


class RemotePredictor:
    """Sends texts to the remote model, and repeats requests that failed for a passing reason.
    Thread-safe."""

    def __init__(self, model: RemoteModel, endpoint: Endpoint) -> None:
        self._model, self._endpoint = model, endpoint
        key = os.environ.get(endpoint.key_variable) if endpoint.key_variable else None
        key = key and key.strip()  # A key that comes from a file may end with that of its line.
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(
            timeout=endpoint.timeout_seconds,
            headers=headers,
            verify=trusted(endpoint.url),
            trust_env=asks_proxies(endpoint.url),
        )
        self._close = finalize(self, self._client.close)
        # A request costs far more than its tokens, so a pass is as large as the server allows.
        self.passes = Passes(
            at_once=endpoint.at_once, token_budget=32_768, own_tokens=4_096, step=1
        )

    def close(self) -> None:
        """Closes the connections; they also close when the last reference is gone."""
        self._close()

    def answer(self, sequences: Sequence[Tokens]) -> FloatArray:
        """Unit vectors float32 [n, dimension] of texts, or logits float32 [n] of pairs.

        Raises ModelUnavailable.
        """
        texts = [sequence for sequence in sequences if isinstance(sequence, RemoteText)]
        if self._model.protocol == "openai":
            size = self._endpoint.batch
            blocks = [texts[at : at + size] for at in range(0, len(texts), size)]
            return np.concatenate(
                [self._vectors([item.text for item in block]) for block in blocks]
            )
        scores = np.empty(len(texts), dtype=np.float32)
        rows_of: dict[str, list[int]] = {}
        for row, item in enumerate(texts):
            rows_of.setdefault(item.query or "", []).append(row)
        for query, rows in rows_of.items():
            for at in range(0, len(rows), self._endpoint.batch):
                block = rows[at : at + self._endpoint.batch]
                scores[block] = self._scores(query, [texts[row].text for row in block])
        return scores

    def _vectors(self, texts: list[str]) -> FloatArray:
        answer = self._ask("/embeddings", {"model": self._model.model, "input": texts})
        try:
            rows = {int(item["index"]): item["embedding"] for item in answer["data"]}
            vectors = np.array([rows[at] for at in range(len(texts))], dtype=np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise self._unreadable() from error
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise self._unreadable()
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: FloatArray = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
        return unit

    def _scores(self, query: str, texts: list[str]) -> FloatArray:
        tei = self._model.protocol == "tei"
        body: dict[str, Any] = (
            {"query": query, "texts": texts, "raw_scores": True, "truncate": True}
            if tei
            else {
                "model": self._model.model,
                "query": query,
                "documents": texts,
                "return_documents": False,
                "top_n": len(texts),
            }
        )
        answer = self._ask("/rerank", body)
        try:
            results, member = (answer, "score") if tei else (answer["results"], "relevance_score")
            rows = {int(item["index"]): float(item[member]) for item in results}
            scores = np.array([rows[at] for at in range(len(texts))], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise self._unreadable() from error
        if not np.isfinite(scores).all():
            raise self._unreadable()
        # The server gives shares from 0 to 1; their logits are spread like those of a local ranker.
        if not tei:
            shares = np.clip(scores, _LEAST_SHARE, 1 - _LEAST_SHARE)
            scores = np.log(shares / (1 - shares))
        logits: FloatArray = scores.astype(np.float32)
        return logits

    def _ask(self, path: str, body: dict[str, Any]) -> Any:
        pause, reason = _PAUSE_SECONDS, ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(pause)
                pause *= 2
            try:
                response = self._client.post(self._endpoint.url.rstrip("/") + path, json=body)
            except httpx.HTTPError as error:
                reason = f"{type(error).__name__}"
                continue
            if response.status_code == httpx.codes.OK:
                try:
                    return response.json()
                except ValueError as error:
                    raise self._unreadable() from error
            reason = f"status {response.status_code}"
            if response.status_code not in _RETRIED:
                break
            pause = max(pause, _asked_pause(response))
        log.warning("remote model %s: %s", self._model.model, reason)
        raise ModelUnavailable(f"the remote model {self._model.model} does not answer ({reason})")

    def _unreadable(self) -> ModelUnavailable:
        return ModelUnavailable(
            f"the remote model {self._model.model} answers in another form than the protocol"
            f" {self._model.protocol}"
        )


@dataclass(frozen=True, slots=True)
class RemoteForward:
    """Reads sequences by a remote model, with the methods of `Forward`."""

    predictor: RemotePredictor
    pad_id: int = 0

    def batch(self, sequences: Sequence[Tokens]) -> FloatArray:
        """Outputs float32 [n, ...] of all sequences. Raises ModelUnavailable."""
        return self.predictor.answer(sequences)

    def many(self, sequences: Sequence[Tokens]) -> FloatArray:
        """Outputs float32 [n, ...], as `batch` gives them; `batch` divides them into requests
        itself."""
        return self.predictor.answer(sequences)


def _asked_pause(response: httpx.Response) -> float:
    """Seconds for which the server asks to wait, up to the longest pause that we make."""
    try:
        return min(float(response.headers.get("Retry-After", 0)), _LONGEST_PAUSE_SECONDS)
    except ValueError:
        return 0.0
