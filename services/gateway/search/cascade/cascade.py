"""The last link: runs a search through recall and rank, and makes its hits."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.common.errors import (
    CollectionNotFound,
    DeadlineExceeded,
    IndexUnavailable,
    SearchError,
    Unavailable,
)
from services.common.request_context import Deadline
from services.common.wire.rank import RankedHit, RankResponse
from services.gateway.search import render
from services.gateway.search.answers import Answered, Ask
from services.gateway.search.cascade.hits import (
    Fetched,
    RecallAnswer,
    finished_beside,
    in_order_of_recall,
    pinned_first,
)
from services.gateway.search.cascade.rules import RulesMembers
from services.gateway.search.query.search import Search


class CandidateSource(Protocol):
    """Recall, as the cascade needs it."""

    async def recall(
        self,
        search: Search,
        deadline: Deadline,
        *,
        texts: bool,
        version: str | None,
        rules: RulesMembers | None,
    ) -> RecallAnswer:
        """The candidates with what rank reads of them, or without `texts` the hits with their
        documents.

        `rules` are what the owner's rules say about the query; None for nothing.
        Every write up to the index version is found; with None, every write of this moment.
        Raises Unavailable, DeadlineExceeded, or what is wrong with the search.
        """

    async def documents(
        self,
        collection: str,
        index: str | None,
        ids: Sequence[str],
        deadline: Deadline,
        *,
        version: str | None,
        versions: Mapping[str, int],
        passages: Mapping[str, Sequence[int]],
    ) -> Fetched:
        """The documents with these ids that are there, and the passages of these numbers: of a
        physical collection, or if `index` is None of the one that answers to the name.

        `version` as in `recall`; `versions` are those of the rows that it found. Raises
        CollectionNotFound if the collection is no longer there, Unavailable or DeadlineExceeded.
        """


class IndexReplaced(IndexUnavailable):
    """The physical collection in which hits were found is no longer there."""


class RuleSource(Protocol):
    """The query rules of collections."""

    async def of(self, search: Search, version: str | None) -> RulesMembers | None:
        """The rules of this version or a later one for a search; None if there are none. Raises
        Unavailable."""


class CandidateRanker(Protocol):
    """Rank, as the cascade needs it."""

    async def rank(
        self, search: Search, recalled: RecallAnswer, deadline: Deadline
    ) -> RankResponse:
        """Ranks the candidates of a search. Raises Unavailable or DeadlineExceeded."""


logger = logging.getLogger(__name__)

_RULES_SHARE = 0.25
"""Fraction of the remaining budget for which a search waits until changed query rules are read."""
_LEAST_RANK_SECONDS = 0.02
"""Least seconds of a budget with which rank is asked: sending its candidates takes a quarter of
that."""
_LEAST_RANKED_SECONDS = 0.06
"""Least budget in seconds of a search that is ranked: fetching and sending the texts that rank
reads takes a good part of it."""
_HITS_SECONDS = 0.005
"""Seconds of the budget that are kept back for fetching and making the hits."""
_LEAST_HITS_SECONDS = 0.25
"""Seconds that fetching the hits may take even if the budget has ended: without them, all that was
computed would be thrown away."""
_MOST_HITS_SHARE = 0.25
"""Fraction of a budget that is never exceeded by it."""


@dataclass(slots=True)
class CascadeResult:
    """The candidates of a search and the best of them, before these become hits."""

    recalled: RecallAnswer
    best: Sequence[RankedHit]
    """In the order of rank, or in that of recall where rank did not take part."""
    ranker: str | None = None
    """Fingerprint of the ranker that took part; None if none did."""
    stages: list[dict[str, Any]] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Cascade:
    """Recall, then rank, by one deadline. Rank may fail or be late; recall may not.

    A budget that is too short for both is spent on recall, whose order is answered then.
    """

    source: CandidateSource
    ranker: CandidateRanker
    recall_share: float
    """Fraction of the budget that recall may take where the hits are to be ranked too."""
    rules: RuleSource | None = None
    """Query rules of collections; None if there are none."""

    async def answer(self, ask: Ask) -> Answered:
        """The answer of a search. Raises the errors of recall."""
        found = await self.found(ask)
        counts = {"total": found.recalled.found, "counted": "recalled"}
        return await self.finished(ask, found, found.best, counts)

    async def found(self, ask: Ask) -> CascadeResult:
        """The candidates of recall, and the best `top_k` of them. Raises the errors of recall."""
        search, started = ask.search, time.perf_counter()
        ranking = search.rank and ask.deadline.remaining() >= _LEAST_RANKED_SECONDS
        rules, missing = await self.rules_of(ask)
        recalled = await self.source.recall(
            search, self._recall_by(ask), texts=ranking, version=ask.version, rules=rules
        )
        stages = [*map(dict, recalled.stages), took("recall", started, recalled.found)]
        degraded = [*missing, *(name for name in recalled.degraded if name != "texts")]
        ranked: Sequence[RankedHit] = in_order_of_recall(recalled, search.top_k)
        ranker = None
        if search.rank and not ranking:
            degraded.append("rank")
        elif search.rank and recalled.candidates:
            started = time.perf_counter()
            try:
                if "texts" in recalled.degraded:
                    raise Unavailable("There was nothing for rank to read.")
                response = await self._rank(search, recalled, ask.deadline)
            except SearchError as error:
                # This covers a candidate that rank cannot read: one stored row fails no answer.
                logger.warning(
                    "a search was not ranked", extra={"code": error.code, "why": error.detail}
                )
                degraded.append("rank")
            else:
                ranked = pinned_first(response.hits, recalled.pinned, search.top_k)
                ranker = response.ranker
                stages += [stage.model_dump() for stage in response.stages]
                degraded += response.degraded
            stages.append(took("rank", started, len(recalled.candidates)))
        return CascadeResult(recalled, ranked, ranker, stages, degraded)

    async def finished(
        self,
        ask: Ask,
        found: CascadeResult,
        chosen: Sequence[RankedHit],
        counts: Mapping[str, Any],
        groups: Mapping[str, Any] | None = None,
    ) -> Answered:
        """The answer with the documents of the chosen hits.

        `counts` are in the form that `render.content` takes, `groups` have the members of a wire
        Group by id.
        Raises IndexReplaced, Unavailable or DeadlineExceeded.
        """
        recalled, stages = found.recalled, found.stages
        fetched = Fetched(recalled.documents or (), recalled.shown)
        if chosen and recalled.documents is None:
            started = time.perf_counter()
            ids = [hit.id for hit in chosen]
            try:
                fetched = await self.source.documents(
                    ask.search.collection,
                    None if recalled.replaceable else recalled.index,
                    ids,
                    Deadline.after(max(ask.deadline.remaining(), _LEAST_HITS_SECONDS)),
                    version=ask.version,
                    versions=recalled.versions(ids),
                    passages={
                        one: recalled.passages[one] for one in ids if one in recalled.passages
                    },
                )
            except CollectionNotFound as error:
                raise IndexReplaced("The index was just replaced; try again.") from error
            stages.append(took("documents", started, len(fetched.documents)))
        hits = await finished_beside(ask.search, recalled, chosen, fetched)
        if groups is not None:
            hits = [hit | {"group": groups[hit["id"]]} for hit in hits]
        return Answered(
            content=render.content(ask.search, hits, stages, ask.version, counts),
            index=recalled.index,
            degraded=found.degraded,
            stages=stages,
            ranker=found.ranker,
        )

    async def rules_of(self, ask: Ask) -> tuple[RulesMembers | None, list[str]]:
        """The query rules for the query, and `rules` if these cannot be read, or not in time."""
        if self.rules is None:
            return None, []
        try:
            async with asyncio.timeout(ask.deadline.remaining() * _RULES_SHARE):
                return await self.rules.of(ask.search, ask.rules), []
        except (Unavailable, TimeoutError) as error:
            why = error.detail if isinstance(error, Unavailable) else "They came too late."
            logger.warning("a search was made without query rules", extra={"why": why})
            return None, ["rules"]

    def _recall_by(self, ask: Ask) -> Deadline:
        left = ask.deadline.remaining()
        rest = left * (1 - self.recall_share)
        if not ask.search.rank or rest < _LEAST_RANK_SECONDS:
            rest = min(_HITS_SECONDS, left * _MOST_HITS_SHARE)
        return Deadline.after(left - rest)

    async def _rank(
        self, search: Search, recalled: RecallAnswer, deadline: Deadline
    ) -> RankResponse:
        seconds = deadline.remaining() - _HITS_SECONDS
        if seconds < _LEAST_RANK_SECONDS:
            raise DeadlineExceeded("No time was left for rank.")
        return await self.ranker.rank(search, recalled, Deadline.after(seconds))


def took(name: str, started: float, candidates: int) -> dict[str, Any]:
    """A stage that began at `started`, a time of the performance counter, and ends now."""
    took_ms = round((time.perf_counter() - started) * 1000, 2)
    return {"name": name, "took_ms": took_ms, "candidates": candidates}
