"""The search cascade as the gateway conducts it: recall, rank, hits, by one deadline."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.common.errors import DeadlineExceeded, Unavailable
from services.common.request_context import Deadline
from services.common.wire.rank import RankedHit, RankResponse
from services.common.wire.recall import Mode
from services.gateway.highlights import highlight, term_pattern

Candidate = Mapping[str, Any]
"""A wire Candidate as a plain mapping: a thousand of them are passed on, ten are read."""


@dataclass(frozen=True, slots=True)
class Search:
    """One search, normalised: two that are equal have the same answer on the same index."""

    query: str
    collection: str
    top_k: int
    recall_k: int
    mode: Mode
    filter: Mapping[str, Any] | None
    rank: bool
    diversity: float
    explain: bool
    fields: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Recalled:
    candidates: Sequence[Candidate]
    """Best first."""
    index: str
    encoder: str
    terms: Sequence[str]
    stages: Sequence[Mapping[str, Any]]
    degraded: Sequence[str]


class Recaller(Protocol):
    async def recall(self, search: Search, deadline: Deadline) -> Recalled:
        """Raises Unavailable, DeadlineExceeded, or what is wrong with the search."""


class Ranker(Protocol):
    async def rank(
        self, search: Search, candidates: Sequence[Candidate], deadline: Deadline
    ) -> RankResponse:
        """Raises Unavailable or DeadlineExceeded."""


@dataclass(slots=True)
class Answer:
    """What is the same for every caller who asks the same."""

    hits: list[dict[str, Any]]
    stages: list[dict[str, Any]]
    degraded: list[str]
    index: str
    encoder: str
    ranker: str | None = None


@dataclass(slots=True)
class Cascade:
    """Runs a search through recall and rank. Rank may fail; recall may not."""

    recaller: Recaller
    ranker: Ranker
    recall_share: float
    reserve_seconds: float = field(default=0.005)
    """Kept back from rank for making the answer."""

    async def run(self, search: Search, deadline: Deadline) -> Answer:
        """Raises what recall raises."""
        started = time.perf_counter()
        left = deadline.remaining()
        share = self.recall_share if search.rank else 1.0
        recalled = await self.recaller.recall(search, Deadline.after(left * share))
        answer = Answer(
            hits=[],
            stages=list(map(dict, recalled.stages)),
            degraded=list(recalled.degraded),
            index=recalled.index,
            encoder=recalled.encoder,
        )
        answer.stages.append(_stage("recall", started, len(recalled.candidates)))
        ranked = await self._ranked(search, recalled, deadline, answer)
        by_id = {candidate["id"]: candidate for candidate in recalled.candidates}
        pattern = term_pattern(recalled.terms)
        for hit in ranked:
            candidate = by_id[hit.id]
            made = _hit(hit, candidate, search.fields)
            made["highlights"] = (
                highlight(pattern, candidate["title"], candidate["text"]) if pattern else {}
            )
            answer.hits.append(made)
        return answer

    async def _ranked(
        self, search: Search, recalled: Recalled, deadline: Deadline, answer: Answer
    ) -> list[RankedHit]:
        """The hits in the order of rank, or of recall where rank is not wanted or not there."""
        if not search.rank or not recalled.candidates:
            return _in_order_of_recall(search, recalled)
        started = time.perf_counter()
        try:
            response = await self.ranker.rank(
                search,
                recalled.candidates,
                Deadline.after(deadline.remaining() - self.reserve_seconds),
            )
        except (Unavailable, DeadlineExceeded):
            answer.degraded.append("rank")
            answer.stages.append(_stage("rank", started, len(recalled.candidates)))
            return _in_order_of_recall(search, recalled)
        answer.ranker = response.ranker
        answer.stages.extend(stage.model_dump() for stage in response.stages)
        answer.stages.append(_stage("rank", started, len(recalled.candidates)))
        answer.degraded.extend(response.degraded)
        return response.hits


def _stage(name: str, started: float, candidates: int) -> dict[str, Any]:
    took = round((time.perf_counter() - started) * 1000, 2)
    return {"name": name, "took_ms": took, "candidates": candidates}


def _in_order_of_recall(search: Search, recalled: Recalled) -> list[RankedHit]:
    return [
        RankedHit.model_construct(
            id=candidate["id"], score=candidate["score"], scores=_recall_scores(candidate)
        )
        for candidate in recalled.candidates[: search.top_k]
    ]


def _recall_scores(candidate: Candidate) -> dict[str, float]:
    scores = {"dense": candidate.get("dense"), "lexical": candidate.get("lexical")}
    found = {name: score for name, score in scores.items() if score is not None}
    return found | {"recall": candidate["score"]}


def _hit(hit: RankedHit, candidate: Candidate, wanted: Sequence[str] | None) -> dict[str, Any]:
    made: dict[str, Any] = {"id": hit.id, "score": hit.score}
    for name in ("title", "text"):
        if wanted is None or name in wanted:
            made[name] = candidate[name]
    fields = candidate["fields"]
    made["fields"] = (
        fields if wanted is None else {name: fields[name] for name in wanted if name in fields}
    )
    made["scores"] = hit.scores
    return made


def is_complete(answer: Answer) -> bool:
    """Whether every stage took part; only such answers may be kept."""
    return not answer.degraded
