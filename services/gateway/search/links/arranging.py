"""The link that answers with counts, another order, groups and pages; a plain search passes it."""

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from services.common.errors import CursorExpired, DeadlineExceeded, Unavailable
from services.common.request_context import Deadline
from services.common.wire.arrange import MAX_LISTED
from services.common.wire.rank import MAX_TOP_K, RankedHit
from services.gateway.search.answers import Answered, Ask
from services.gateway.search.cascade.cascade import Cascade, CascadeResult, IndexReplaced, took
from services.gateway.search.cascade.hits import RecallAnswer, all_in_order_of_recall
from services.gateway.search.links.walks import Walk, Walks, token
from services.gateway.search.query.search import FIRST, Arrangement, Search

logger = logging.getLogger(__name__)


class FieldCounts(Protocol):
    """Recall, as far as it knows the fields of documents."""

    async def arrange(
        self,
        arrangement: Arrangement,
        index: str,
        rows: Sequence[tuple[str, int]],
        deadline: Deadline,
        *,
        version: str | None,
    ) -> Mapping[str, Any]:
        """The members of a wire Arranged for documents by id and version.

        Raises InvalidRequest, Unavailable or DeadlineExceeded.
        """

    async def listed(
        self, search: Search, most: int, deadline: Deadline, *, version: str | None
    ) -> Mapping[str, Any]:
        """The members of a wire Listed: what the search's filter selects.

        Raises Unavailable, DeadlineExceeded, or what is wrong with the search.
        """


@dataclass(slots=True)
class Course:
    """All that a search found, in the order in which pages show it."""

    found: CascadeResult
    hits: Sequence[RankedHit]
    counts: dict[str, Any]
    """The members of the answer beside its hits."""
    groups: Sequence[Mapping[str, Any]] | None = None
    """What each hit stands for."""
    terms: Sequence[str] = field(default_factory=list)


@dataclass(slots=True)
class Arranging:
    """Makes more of what the cascade found than its best hits."""

    cascade: Cascade
    fields: FieldCounts
    walks: Walks

    async def answer(self, ask: Ask) -> Answered:
        """Raises what the cascade raises; InvalidRequest for fields that no document has;
        CursorExpired."""
        arrangement = ask.search.arrangement
        if arrangement is None:
            return await self.cascade.answer(ask)
        if (cursor := arrangement.following) is not None:
            return await self._page(ask, cursor)
        course = await (self._found if ask.search.query else self._listed)(ask, arrangement)
        shown = course.hits[: ask.search.top_k]
        counts, groups = course.counts, None
        if course.groups is not None:
            groups = {hit.id: group for hit, group in zip(shown, course.groups, strict=False)}
        if arrangement.cursor == FIRST:
            counts["next_cursor"] = await self._begun(ask, course, len(shown))
        return await self.cascade.finished(ask, course.found, shown, counts, groups)

    async def _found(self, ask: Ask, arrangement: Arrangement) -> Course:
        """The candidates of a query."""
        if not arrangement.orders:
            found = await self.cascade.found(ask)
            counted = found.recalled.counted or {"total": found.recalled.found}
            return Course(found, found.best, {"counted": "recalled", **counted})
        search = ask.search
        # An order or a least score looks at all candidates; a search has at most MAX_TOP_K hits.
        deep = min(max(search.recall_k, search.top_k), MAX_TOP_K)
        found = await self.cascade.found(replace(ask, search=replace(search, top_k=deep)))
        every, over = _all(found), "recalled"
        if (least := arrangement.min_score) is not None and (found.ranker or not ask.search.rank):
            if found.ranker:
                every, over = list(found.best), "ranked"
            pinned = found.recalled.pinned
            every = [hit for hit in every if hit.score >= least or hit.id in pinned]
        course = Course(found, every, {"total": len(every), "counted": over})
        course.terms = found.recalled.terms
        if arrangement.asks_recall:
            await self._arrange(ask, arrangement, course)
        return course

    async def _arrange(self, ask: Ask, arrangement: Arrangement, course: Course) -> None:
        """Puts what was found in order and counts it. Raises what recall raises, unless only
        counts are asked for."""
        started, found = time.perf_counter(), course.found
        versions = {identity: version for identity, version, *_ in found.recalled.every}
        rows = [(hit.id, versions[hit.id]) for hit in course.hits]
        try:
            arranged = await self.fields.arrange(
                arrangement, found.recalled.index, rows, ask.deadline, version=ask.version
            )
        except (Unavailable, DeadlineExceeded) as error:
            if arrangement.sort or arrangement.group_by:
                raise
            logger.warning(
                "the facets of a search were not counted",
                extra={"code": error.code, "why": error.detail},
            )
            found.degraded.append("facets")
            return
        course.hits = [course.hits[place] for place in arranged["order"]]
        course.counts["total"] = arranged["total"]
        _note(course, arranged, arrangement)
        found.stages.append(took("facets", started, len(rows)))

    async def _listed(self, ask: Ask, arrangement: Arrangement) -> Course:
        """The documents that a filter selects."""
        started = time.perf_counter()
        most = MAX_LISTED if arrangement.cursor else ask.search.top_k
        listed = await self.fields.listed(ask.search, most, ask.deadline, version=ask.version)
        recalled = RecallAnswer(index=listed["index"])
        found = CascadeResult(recalled, [], stages=[took("list", started, listed["total"])])
        hits = [
            RankedHit.model_construct(id=identity, score=0.0, scores={})
            for identity in listed["ids"]
        ]
        course = Course(found, hits, {"total": listed["total"], "counted": "exact"})
        _note(course, listed, arrangement)
        return course

    async def _begun(self, ask: Ask, course: Course, shown: int) -> str | None:
        """The cursor of the second page, if there is one; the order of all is kept for it."""
        if shown >= len(course.hits):
            return None
        alone: Sequence[Mapping[str, Any] | None] = [None] * len(course.hits)
        walk = Walk(
            asked=_asked(ask.search),
            tenant=ask.asker.tenant,
            index=course.found.recalled.index,
            terms=course.terms,
            pinned=course.found.recalled.pinned,
            counts={name: one for name, one in course.counts.items() if name != "facets"},
            rows=[
                (hit.id, hit.score, hit.scores, group)
                for hit, group in zip(course.hits, course.groups or alone, strict=True)
            ],
            passages=course.found.recalled.passages,
            # Facets are members of the first page only.
            degraded=[part for part in course.found.degraded if part != "facets"],
        )
        return token(await self.walks.begun(walk), shown, len(course.hits))

    async def _page(self, ask: Ask, cursor: str) -> Answered:
        walk, name, start = await self.walks.at(cursor, _asked(ask.search), ask.asker.tenant)
        hits, groups = walk.page(start, ask.search.top_k)
        following = token(name, start + len(hits), len(walk.rows))
        rules, missing = await self.cascade.rules_of(ask)
        hidden = rules["hidden"] if rules else ()
        shown = [hit for hit in hits if hit.id not in hidden]
        recalled = RecallAnswer(
            index=walk.index,
            terms=walk.terms,
            pinned=walk.pinned,
            passages=walk.passages,
            replaceable=True,
        )
        counts = {**walk.counts, "next_cursor": following}
        degraded = list(dict.fromkeys((*walk.degraded, *missing)))
        found = CascadeResult(recalled, shown, degraded=degraded)
        try:
            return await self.cascade.finished(ask, found, shown, counts, groups)
        except IndexReplaced:
            raise CursorExpired() from None


def _all(found: CascadeResult) -> list[RankedHit]:
    """The best hits, then the other candidates in the order of recall."""
    recalled = all_in_order_of_recall(found.recalled)
    if found.ranker is None:
        return recalled
    best = {hit.id for hit in found.best}
    return [*found.best, *(hit for hit in recalled if hit.id not in best)]


def _note(course: Course, answered: Mapping[str, Any], arrangement: Arrangement) -> None:
    """Takes over the counts and groups that recall answered."""
    if arrangement.facets:
        if answered["facets"] is None:
            course.found.degraded.append("facets")
        else:
            course.counts["facets"] = answered["facets"]
    if arrangement.group_by:
        course.groups = answered["groups"]
        course.counts["groups"] = answered["distinct_groups"]


def _asked(search: Search) -> str:
    """Names a search apart from what may change from page to page."""
    arrangement = replace(search.arrangement or Arrangement(), cursor=None, facets=())
    alike = replace(search, top_k=1, fields=None, arrangement=arrangement)
    return hashlib.blake2b(alike.canonical, digest_size=16).hexdigest()
