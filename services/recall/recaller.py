"""The search of the recall service: both legs at the same time under one deadline."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.common.errors import Conflict, DeadlineExceeded, EncoderMismatch, SearchError
from services.common.filters import compile_filter
from services.common.request_context import Deadline
from services.common.stopwatch import Stopwatch
from services.common.text import Analyzers, WordAnalyzer
from services.common.wire.recall import Mode
from services.common.wire.stages import Stage
from services.recall.domain import (
    DocumentIndex,
    Found,
    Fused,
    Fusion,
    Index,
    QueryEncoder,
    Vector,
    fuse,
)

logger = logging.getLogger(__name__)

_LEG_SHARE = 0.9
"""Of the remaining time; the rest is for answering from the leg that came in time."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """The answer of one search."""

    candidates: list[Fused]
    index: Index
    terms: list[str]
    stages: list[Stage]
    degraded: list[str]


@dataclass(frozen=True, slots=True)
class Recaller:
    """Finds candidates. Shared by all requests."""

    index: DocumentIndex
    encoder: QueryEncoder
    analyzers: Analyzers
    fusion: Fusion

    async def search(
        self,
        query: str,
        collection: str,
        *,
        n: int,
        mode: Mode,
        condition: Mapping[str, Any] | None,
        deadline: Deadline,
    ) -> Recalled:
        """The best n candidates.

        A leg that fails or is late is named in `degraded` and the other one answers. Raises
        InvalidFilter, CollectionNotFound, EncoderMismatch; and, when no leg answered, what
        stopped the first: IndexUnavailable, ModelUnavailable, Overloaded, DeadlineExceeded.
        """
        expression = compile_filter(condition)
        watch = Stopwatch()
        analyzer = self.analyzers.of(collection)
        words = analyzer.words(query)
        # The query is encoded while the server tells what the collection is.
        encoding = asyncio.create_task(self._encode(query, mode, deadline, watch))
        try:
            index = await self.index.resolve(collection, deadline)
            self._check(index, collection, mode, analyzer)
            legs: dict[str, asyncio.Task[list[Found]]] = {}
            if mode is not Mode.LEXICAL:
                legs["dense"] = asyncio.create_task(
                    self._dense(encoding, index, n, expression, deadline, watch)
                )
            if mode is not Mode.DENSE and _has_words(index, analyzer):
                legs["lexical"] = asyncio.create_task(
                    self._lexical(words, index, n, expression, deadline, watch)
                )
            found = await _first_come(legs, deadline)
        finally:
            encoding.cancel()
        with watch.stage("fuse") as lap:
            dense, lexical = found.get("dense", []), found.get("lexical", [])
            lap.candidates = len(dense) + len(lexical)
            candidates = fuse(dense, lexical, n, self.fusion)
        wanted = ("dense", "lexical") if mode is Mode.HYBRID else (mode.value,)
        degraded = [leg for leg in wanted if leg not in found]
        return Recalled(candidates, index, list(dict.fromkeys(words)), watch.stages, degraded)

    def _check(self, index: Index, collection: str, mode: Mode, analyzer: WordAnalyzer) -> None:
        if index.encoder != self.encoder.fingerprint:
            raise EncoderMismatch(
                f"The collection {collection} was filled by encoder {index.encoder}, this service"
                f" runs {self.encoder.fingerprint}: rebuild the collection, or start the service"
                " with the encoder that filled it."
            )
        if mode is Mode.LEXICAL and not _has_words(index, analyzer):
            raise Conflict(
                f"The collection {collection} cannot be searched by words: its Milvus has no BM25"
                " or its words were cut by another version or user dictionary. Use mode dense, or"
                " rebuild it."
            )

    async def _encode(
        self, query: str, mode: Mode, deadline: Deadline, watch: Stopwatch
    ) -> Vector | None:
        if mode is Mode.LEXICAL:
            return None
        with watch.stage("encode"):
            return await self.encoder.encode_query(query, deadline)

    async def _dense(
        self,
        encoding: "asyncio.Task[Vector | None]",
        index: Index,
        n: int,
        expression: str,
        deadline: Deadline,
        watch: Stopwatch,
    ) -> list[Found]:
        vector = await encoding
        assert vector is not None  # noqa: S101 - this leg runs in the modes that encode
        with watch.stage("dense") as lap:
            found = await self.index.nearest(index, vector, n, expression, deadline)
            lap.candidates = len(found)
        return found

    async def _lexical(
        self,
        words: list[str],
        index: Index,
        n: int,
        expression: str,
        deadline: Deadline,
        watch: Stopwatch,
    ) -> list[Found]:
        with watch.stage("lexical") as lap:
            found = (
                await self.index.matching(index, words, n, expression, deadline) if words else []
            )
            lap.candidates = len(found)
        return found


def _has_words(index: Index, analyzer: WordAnalyzer) -> bool:
    return index.lexical and index.analyzer == analyzer.identity


async def _first_come(
    legs: Mapping[str, "asyncio.Task[list[Found]]"], deadline: Deadline
) -> dict[str, list[Found]]:
    """The legs that answered in time. Raises what stopped the first leg when none did."""
    try:
        await asyncio.wait(legs.values(), timeout=deadline.remaining() * _LEG_SHARE)
    finally:
        for task in legs.values():
            task.cancel()
    found: dict[str, list[Found]] = {}
    errors: list[SearchError] = []
    for name, task in legs.items():
        if not task.done():
            errors.append(DeadlineExceeded("The index did not answer within the budget."))
            continue
        try:
            found[name] = task.result()
        except SearchError as error:
            logger.warning("leg failed", extra={"leg": name, "code": error.code})
            errors.append(error)
    if not found:
        raise errors[0]
    return found
