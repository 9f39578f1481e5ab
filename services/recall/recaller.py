"""The search of the recall service: both legs at the same time under one deadline."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.common.documents import Content
from services.common.errors import DeadlineExceeded, SearchError, Unavailable
from services.common.filters import compile_filter
from services.common.request_context import Deadline
from services.common.wire.facets import FacetCounts
from services.common.wire.passages import ShownPassages
from services.common.wire.recall import Mode
from services.recall.domain import Counter, DocumentIndex, Index, Key, Wanted, in_order
from services.recall.fields.boosts import Boosted, Booster
from services.recall.findings import Asked, Finder, Findings
from services.recall.legs.fusion import Fused, Fusion, fuse, numbers_of
from services.recall.legs.query_fusion import BEST, QueryFusion
from services.recall.query.naming import Naming
from services.recall.query.phrases import holding
from services.recall.query.rules import fitting, marked_terms, pins_first
from services.recall.recalled import Recalled
from services.recall.texts import with_best_texts, with_texts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recaller:
    """Finds candidates; all requests share one."""

    finder: Finder
    fusion: Fusion
    query_fusion: QueryFusion | None = None
    """Model of the dense leg's weight for each query; None always takes that of `fusion`."""
    booster: Booster = field(default_factory=Booster)
    counter: Counter | None = None
    """Counts facets; without it they have no counts."""

    @property
    def index(self) -> DocumentIndex:
        """The index in which the finder looks."""
        return self.finder.index

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
        are late, the first that comes within LATE_SECONDS answers. `texts` and `facets` are named
        there when they could not be fetched. Raises InvalidFilter, CollectionNotFound,
        InvalidRequest for a field that no document has; and, when no leg answered, what stopped the
        first: EncoderMismatch where the collection's encoder is not installed, IndexUnavailable,
        ModelUnavailable, Overloaded, DeadlineExceeded.
        """
        compile_filter(condition)  # what is wrong with a filter is told before anything is asked
        asked = Asked(query, collection, wanted, mode, condition, deadline, version, physical)
        findings = await self.finder.findings(asked)
        index, watch = findings.index, asked.watch
        naming = Naming.of(findings.said, findings.analyzer)
        fused = await self._fused(asked, findings, naming) if findings.legs else []
        raised = await self.booster.boosted(index, fused, wanted.boosts, deadline, watch)
        fused = pins_first(raised.fused, findings.pins or [])
        keys = list(findings.versions().items())
        if wanted.phrases or wanted.exclude:
            with watch.stage("phrases") as lap:
                lap.candidates = len(keys)
                fused = await holding(self.index, index, fused, wanted, deadline)
                keys = [(one.document.id, one.document.version) for one in fused]
        # Rank knows boosts; without it the order is final.
        candidates = raised.candidates(fused, wanted.best) if wanted.texts else fused[: wanted.best]
        degraded = _missing(mode, findings, raised)
        recalled = Recalled(
            candidates,
            index,
            marked_terms(findings.said, wanted.rules, findings.analyzer),
            watch.stages,
            degraded,
            len(keys),
            every=fused if wanted.every else None,
            pinned=[
                one.document.id for one in candidates if one.document.id in wanted.rules.pinned
            ],
            boosted=raised.concerned,
        )
        return await self._complete(asked, recalled, keys, naming)

    async def _fused(self, asked: Asked, findings: Findings, naming: Naming) -> list[Fused]:
        """Both legs as one order: the best, or all where later steps need all."""
        wanted, found, analyzer = asked.wanted, findings.legs, findings.analyzer
        weighed = {name: leg[:BEST] for name, leg in found.items()}
        if self.query_fusion is not None and len(found) > 1:
            weighed = await with_best_texts(
                self.index, findings.index, weighed, naming, asked.deadline
            )
        with asked.watch.stage("fuse") as lap:
            dense, lexical = found.get("dense", []), found.get("lexical", [])
            lap.candidates = len(dense) + len(lexical)
            fusion = self.fusion
            if self.query_fusion is not None and asked.mode is Mode.HYBRID:
                by_words = weighed.get("lexical", [])
                text = fitting(findings.said, by_words[0]) if by_words else asked.query
                share = self.query_fusion.dense_weight(
                    text, weighed.get("dense", []), by_words, analyzer
                )
                fusion = replace(fusion, dense_weight=share)
                lap.dense_weight = round(share, 4)
            every = wanted.every or wanted.phrases or wanted.exclude or wanted.boosts
            n = 2 * wanted.found if every or findings.pins else wanted.best
            return fuse(dense, lexical, n, fusion)

    async def _complete(
        self, asked: Asked, recalled: Recalled, keys: Sequence[Key], naming: Naming
    ) -> Recalled:
        """The same with the texts, the documents and the counts that are wanted; `keys` are id and
        version of all that was found."""
        if not asked.wanted.facets or self.counter is None:
            return await self._with_contents(asked, recalled, naming)
        counted, whole = await asyncio.gather(
            self._counts(self.counter, asked, recalled.index, keys),
            self._with_contents(asked, recalled, naming),
        )
        degraded = whole.degraded if counted else [*whole.degraded, "facets"]
        return replace(whole, counted=counted, degraded=degraded)

    async def _counts(
        self, counter: Counter, asked: Asked, index: Index, keys: Sequence[Key]
    ) -> FacetCounts | None:
        """The counts of the facets; None if the fields of the documents could not be read. Raises
        InvalidRequest."""
        with asked.watch.stage("facets") as lap:
            lap.candidates = len(keys)
            try:
                return await counter.counts(index, keys, asked.wanted.facets, asked.deadline)
            except (Unavailable, DeadlineExceeded) as error:
                logger.warning("the facets were not counted", extra={"code": error.code})
                return None

    async def _with_contents(self, asked: Asked, recalled: Recalled, naming: Naming) -> Recalled:
        """The same with the texts and the documents that are wanted."""
        candidates, index, degraded = recalled.candidates, recalled.index, recalled.degraded
        if asked.wanted.texts and candidates:
            with asked.watch.stage("texts") as lap:
                lap.candidates = len(candidates)
                try:
                    candidates = await with_texts(
                        self.index, index, candidates, naming, asked.deadline
                    )
                except SearchError as error:
                    logger.warning("the texts could not be read", extra={"code": error.code})
                    degraded = [*degraded, "texts"]
        documents: list[Content] | None = [] if asked.wanted.documents else None
        shown: Mapping[str, ShownPassages] = {}
        if asked.wanted.documents and candidates:
            at_last = asked.deadline.at_last()
            with asked.watch.stage("documents") as lap:
                keys = [(one.document.id, one.document.version) for one in candidates]
                ids = [identity for identity, _ in keys]
                stored, shown = await asyncio.gather(
                    self.index.documents(index.physical, keys, index.server_time, at_last),
                    self.index.passages(index, numbers_of(candidates), at_last),
                )
                documents = in_order(ids, stored)
                lap.candidates = len(documents)
        return replace(
            recalled, candidates=candidates, degraded=degraded, documents=documents, shown=shown
        )


def _missing(mode: Mode, findings: Findings, raised: Boosted) -> list[str]:
    """The parts of a search that did not take part in it."""
    legs = ("dense", "lexical") if mode is Mode.HYBRID else (mode.value,)
    # A query without words asks none of them.
    missing = [leg for leg in legs if findings.legs and leg not in findings.legs]
    if findings.pins is None:
        missing.append("rules")
    return missing if raised.complete else [*missing, "boosts"]
