"""The search of the recall service: both legs at the same time under one deadline."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.common.documents import Content
from services.common.errors import Conflict, SearchError
from services.common.filters import compile_filter
from services.common.request_context import Deadline
from services.common.stopwatch import Stopwatch
from services.common.text import WordAnalyzer
from services.common.versions import server_time_of
from services.common.wire.passages import ShownPassages
from services.common.wire.recall import Mode
from services.common.wire.stages import Stage
from services.recall.analyzers import IndexAnalyzers
from services.recall.boosts import Booster
from services.recall.domain import (
    DocumentIndex,
    Found,
    Fused,
    Fusion,
    Index,
    QueryEncoder,
    Vector,
    Wanted,
    fuse,
    in_order,
    numbers_of,
)
from services.recall.fusion import QueryFusion
from services.recall.legs import first_come
from services.recall.phrases import holding
from services.recall.rules import fitting, marked_terms, pins_first, sayings, unhidden
from services.recall.texts import with_best_texts, with_texts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recalled:
    """Candidates of a search, with the figures of their finding."""

    candidates: list[Fused]
    index: Index
    terms: list[str]
    stages: list[Stage]
    degraded: list[str]
    found: int = 0
    """Number of documents that both legs found, including those not answered."""
    documents: list[Content] | None = None
    """The whole documents of the candidates in their order, without deleted ones; None if not
    wanted."""
    every: list[Fused] | None = None
    """All documents of both legs, the candidates first; None if not wanted."""
    pinned: Sequence[str] = ()
    """Ids of the pinned candidates, in their order."""
    shown: Mapping[str, ShownPassages] = field(default_factory=dict)
    """The passages of long documents."""
    boosted: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Log-odds that boosts add to documents, and their scores without them, by id."""


@dataclass(frozen=True, slots=True)
class Recaller:
    """Finds candidates; all requests share one."""

    index: DocumentIndex
    encoder: QueryEncoder
    analyzers: IndexAnalyzers
    fusion: Fusion
    query_fusion: QueryFusion | None = None
    """Model of the dense leg's weight for each query; None always takes that of `fusion`."""
    booster: Booster = field(default_factory=Booster)
    encoders_seen: dict[str, str] = field(default_factory=dict)
    """Encoder that each collection had at its last search."""

    async def search(
        self,
        query: str,
        collection: str,
        wanted: Wanted,
        *,
        mode: Mode,
        condition: Mapping[str, Any] | None,
        deadline: Deadline,
        version: str | None = None,
        physical: str | None = None,
    ) -> Recalled:
        """The best candidates, with what is wanted of them.

        `physical` is searched in the place of the collection that answers under the name.

        Every write up to the index version is found; without one, every write of this moment.

        A leg that fails or is late is named in `degraded` and the other one answers; where both
        are late, the first that comes within LATE_SECONDS answers. `texts` is named there when they
        could not be fetched. Raises InvalidFilter, CollectionNotFound; and, when no leg answered,
        what stopped the first: EncoderMismatch where the collection's encoder is not installed,
        IndexUnavailable, ModelUnavailable, Overloaded, DeadlineExceeded.
        """
        compile_filter(condition)  # what is wrong with a filter is told before anything is asked
        watch, at_last = Stopwatch(), deadline.at_last()
        # The query is encoded while the server describes the collection, whose encoder is mostly
        # the same as before.
        expected = self.encoders_seen.get(collection)
        encoding = self._encoding(expected, query, mode, at_last, watch)
        pinning: asyncio.Task[list[Found] | None] | None = None
        try:
            index = replace(
                await (
                    self.index.of_physical(physical, at_last)
                    if physical
                    else self.index.resolve(collection, at_last)
                ),
                version=version,
                server_time=server_time_of(version),
            )
            analyzer = await self.analyzers.of(collection, index)
            said = sayings(query, wanted.rules, analyzer)
            self._check(index, collection, mode, analyzer)
            if index.encoder != expected:
                self.encoders_seen[collection] = index.encoder
                encoding.cancel()
                encoding = self._encoding(index.encoder, query, mode, at_last, watch)
            selected = compile_filter(condition, index.typed, wanted.partition)
            expression = unhidden(selected, wanted.rules.hidden)
            if selected and not index.filters:
                raise Conflict(
                    f"The collection {collection} was filled by an earlier version, which did not"
                    " prepare its rows for filters; rebuild it, or search without a filter."
                )
            # Signs and emoji have no meaning to an encoder: documents near to them are noise.
            if not said[0].words:
                return Recalled([], index, [], watch.stages, [])
            legs: dict[str, asyncio.Task[list[Found]]] = {}
            if mode is not Mode.LEXICAL:
                legs["dense"] = asyncio.create_task(
                    self._dense(encoding, index, wanted.found, expression, at_last, watch)
                )
            if mode is not Mode.DENSE and _has_words(index, analyzer):
                legs["lexical"] = asyncio.create_task(
                    self._lexical(
                        [one.words for one in said],
                        index,
                        wanted.found,
                        expression,
                        at_last,
                        watch,
                    )
                )
            pinning = asyncio.create_task(
                self._pins(index, wanted.rules.pinned, expression, at_last)
            )
            found = await first_come(legs, deadline)
            pins = await pinning
        finally:
            encoding.cancel()
            if pinning is not None:
                pinning.cancel()
        weighed: Mapping[str, list[Found]] = found
        if self.query_fusion is not None and len(found) > 1:
            weighed = await with_best_texts(self.index, index, found, deadline)
        with watch.stage("fuse") as lap:
            dense, lexical = found.get("dense", []), found.get("lexical", [])
            lap.candidates = len(dense) + len(lexical)
            fusion = self.fusion
            if self.query_fusion is not None and mode is Mode.HYBRID:
                by_words = weighed.get("lexical", [])
                asked = fitting(said, by_words[0], analyzer) if by_words else query
                share = self.query_fusion.dense_weight(
                    asked, weighed.get("dense", []), by_words, analyzer
                )
                fusion = replace(fusion, dense_weight=share)
                lap.dense_weight = round(share, 4)
            by_phrases = bool(wanted.phrases or wanted.exclude)
            every = wanted.every or by_phrases or bool(pins) or bool(wanted.boosts)
            fused = fuse(dense, lexical, 2 * wanted.found if every else wanted.best, fusion)
        raised = await self.booster.boosted(index, fused, wanted.boosts, deadline, watch)
        fused = pins_first(raised.fused, pins or [])
        number = len({one.id for leg in (*found.values(), pins or []) for one in leg})
        if by_phrases:
            with watch.stage("phrases") as lap:
                lap.candidates = number
                fused = await holding(self.index, index, fused, wanted, deadline)
                number = len(fused)
        # Rank knows boosts; without it the order is final.
        candidates = raised.candidates(fused, wanted.best) if wanted.texts else fused[: wanted.best]
        legs_wanted = ("dense", "lexical") if mode is Mode.HYBRID else (mode.value,)
        degraded = [leg for leg in legs_wanted if leg not in found]
        if pins is None:
            degraded.append("rules")
        if not raised.complete:
            degraded.append("boosts")
        if wanted.texts and candidates:
            with watch.stage("texts") as lap:
                lap.candidates = len(candidates)
                try:
                    candidates = await with_texts(self.index, index, candidates, deadline)
                except SearchError as error:
                    logger.warning("the texts could not be read", extra={"code": error.code})
                    degraded.append("texts")
        documents = None
        shown: Mapping[str, ShownPassages] = {}
        if wanted.documents:
            with watch.stage("documents") as lap:
                ids = [candidate.document.id for candidate in candidates]
                stored, shown = await asyncio.gather(
                    self.index.documents(index.physical, ids, index.server_time, at_last),
                    self.index.passages(index, numbers_of(candidates), at_last),
                )
                documents = in_order(ids, stored)
                lap.candidates = len(documents)
        return Recalled(
            candidates,
            index,
            marked_terms(said, wanted.rules, analyzer),
            watch.stages,
            degraded,
            number,
            documents,
            fused if wanted.every else None,
            [one.document.id for one in candidates if one.document.id in wanted.rules.pinned],
            shown,
            raised.concerned,
        )

    async def _pins(
        self, index: Index, ids: Sequence[str], expression: str, deadline: Deadline
    ) -> list[Found] | None:
        """The pinned documents that match the request; None if they cannot be fetched."""
        if not ids:
            return []
        try:
            return await self.index.there(index, ids, expression, deadline)
        except SearchError as error:
            logger.warning("the pinned documents could not be read", extra={"code": error.code})
            return None

    def _check(self, index: Index, collection: str, mode: Mode, analyzer: WordAnalyzer) -> None:
        if mode is Mode.LEXICAL and not _has_words(index, analyzer):
            raise Conflict(
                f"The collection {collection} cannot be searched by words: its Milvus has no BM25"
                " or its words were cut by another version or user dictionary. Use mode dense, or"
                " rebuild it."
            )

    def _encoding(
        self,
        encoder: str | None,
        query: str,
        mode: Mode,
        deadline: Deadline,
        watch: Stopwatch,
    ) -> "asyncio.Task[Vector | None]":
        """Encodes the query in the background, if it has to be encoded and the encoder is known."""

        async def encode() -> Vector | None:
            if encoder is None or mode is Mode.LEXICAL:
                return None
            with watch.stage("encode"):
                return await self.encoder.encode_query(encoder, query, deadline)

        return asyncio.create_task(encode())

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
        ways: list[Sequence[str]],
        index: Index,
        n: int,
        expression: str,
        deadline: Deadline,
        watch: Stopwatch,
    ) -> list[Found]:
        with watch.stage("lexical") as lap:
            found = await self.index.matching(index, ways, n, expression, deadline)
            lap.candidates = len(found)
        return found


def _has_words(index: Index, analyzer: WordAnalyzer) -> bool:
    return index.lexical and index.analyzer == analyzer.identity
