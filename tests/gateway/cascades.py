"""Cascades that are no services: what they answer is said by the test."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.common.errors import SearchError
from services.common.request_context import Deadline
from services.common.wire.rank import RankedHit, RankResponse
from services.common.wire.recall import Mode
from services.gateway.domain import Candidate, Recalled, Search

ENCODER, RANKER = "e" * 16, "f" * 16


def search(query: str = "创新", **changes: Any) -> Search:
    members: dict[str, Any] = {
        "query": query,
        "collection": "notes",
        "top_k": 10,
        "recall_k": 100,
        "mode": Mode.HYBRID,
        "filter": None,
        "rank": True,
        "diversity": 0.0,
        "explain": False,
        "fields": None,
    }
    return Search(**(members | changes))


@dataclass(slots=True)
class CountingRecall:
    """Finds one document; takes a while, or fails."""

    seconds: float = 0.0
    error: SearchError | None = None
    degraded: Sequence[str] = ()
    index: str = "notes__1"
    calls: int = field(default=0, init=False)

    async def recall(self, search: Search, deadline: Deadline) -> Recalled:
        self.calls += 1
        degraded = self.degraded
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        document = {"id": "1", "title": f"第{self.calls}次", "text": "", "fields": {}, "score": 1.0}
        return Recalled([document], self.index, ENCODER, [], [], degraded)


@dataclass(slots=True)
class PlainRank:
    """Keeps the order; fails when told to."""

    error: SearchError | None = None

    async def rank(
        self, search: Search, candidates: Sequence[Candidate], deadline: Deadline
    ) -> RankResponse:
        if self.error is not None:
            raise self.error
        hits = [RankedHit(id=each["id"], score=0.5, scores={}) for each in candidates]
        return RankResponse(hits=hits, ranker=RANKER, stages=[])
