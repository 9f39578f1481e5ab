"""Links and services that are written for tests: the test says what they answer."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.common.errors import InvalidRequest, SearchError, Unavailable
from services.common.request_context import Deadline
from services.common.wire.rank import RankedHit, RankResponse
from services.common.wire.recall import Mode
from services.gateway.search import render
from services.gateway.search.answers import Answered, Ask, Asker
from services.gateway.search.cascade.hits import Fetched, RecallAnswer
from services.gateway.search.cascade.rules import RulesMembers
from services.gateway.search.query.search import Search

RANKER = "f" * 16


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


def ask(query: str = "创新", *, seconds: float = 10.0, **changes: Any) -> Ask:
    """An Ask of the tenant `-`; `changes` are its other members."""
    return Ask(search(query), Deadline.after(seconds), Asker("-", "-"), **changes)


def title(answered: Answered) -> str:
    return str(orjson.loads(answered.content + b"}")["hits"][0]["title"])


@dataclass(slots=True)
class CountingLink:
    """The innermost link of a chain: answers with the number of its call, after a while."""

    seconds: float = 0.0
    error: SearchError | None = None
    degraded: Sequence[str] = ()
    index: str = "notes__1"
    asked: list[Ask] = field(default_factory=list, init=False)
    called: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @property
    def calls(self) -> int:
        return len(self.asked)

    async def answer(self, ask: Ask) -> Answered:
        self.asked.append(ask)
        self.called.set()
        degraded, hits = self.degraded, [{"title": f"第{self.calls}次"}]
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        content = render.content(ask.search, hits, [], ask.version, {})
        return Answered(content, self.index, degraded, ranker=RANKER)


@dataclass(slots=True)
class CountingRecall:
    """Finds one document; takes a while, or fails."""

    seconds: float = 0.0
    error: SearchError | None = None
    degraded: Sequence[str] = ()
    index: str = "notes__1"
    refused: Collection[str] = ()
    """Queries that are not valid."""
    answers: int | None = None
    """Number of calls after which it is away; None for never."""
    calls: int = field(default=0, init=False)
    deadlines: list[Deadline] = field(default_factory=list, init=False)
    texts: list[bool] = field(default_factory=list, init=False)
    """Whether each call asked for what rank reads."""
    called: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def recall(
        self,
        search: Search,
        deadline: Deadline,
        *,
        texts: bool,
        version: str | None,
        rules: RulesMembers | None,
    ) -> RecallAnswer:
        self.calls += 1
        self.called.set()
        self.texts.append(texts)
        self.deadlines.append(deadline)
        degraded = self.degraded
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        if search.query in self.refused:
            raise InvalidRequest("sort: no document has such a field.")
        if self.answers is not None:
            if self.answers == 0:
                raise Unavailable("Recall does not answer.")
            self.answers -= 1
        candidate = {
            "id": "1",
            "version": 1,
            "title": f"第{self.calls}次",
            "text": "",
            "score": 1.0,
        }
        return RecallAnswer(index=self.index, candidates=[candidate], degraded=degraded)

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
        title = f"第{self.calls}次"
        return Fetched([{"id": one, "title": title, "text": "", "fields": {}} for one in ids])


@dataclass(slots=True)
class PlainRank:
    """Keeps the order, or fails with `error`."""

    error: SearchError | None = None
    deadlines: list[Deadline] = field(default_factory=list, init=False)

    async def rank(
        self, search: Search, recalled: RecallAnswer, deadline: Deadline
    ) -> RankResponse:
        self.deadlines.append(deadline)
        if self.error is not None:
            raise self.error
        hits = [
            RankedHit(id=candidate["id"], score=0.5, scores={}) for candidate in recalled.candidates
        ]
        return RankResponse(hits=hits, ranker=RANKER, stages=[])


@dataclass(slots=True)
class NamingRecall:
    """Knows the fields of every collection; `slow` seconds pass before it answers."""

    names: Sequence[str] = ("year",)
    slow: float = 0.0
    away: bool = False
    asked: int = 0
    asked_at: float = 0.0
    """Time of the performance counter at which it was last asked."""

    async def fields(self, _collection: str, deadline: Deadline) -> Sequence[str]:
        self.asked += 1
        self.asked_at = time.perf_counter()
        if self.away:
            raise Unavailable("Recall does not answer.")
        if self.slow > deadline.remaining():
            await asyncio.sleep(deadline.remaining())
            raise Unavailable("Recall did not answer in time.")
        await asyncio.sleep(self.slow)
        return self.names


@dataclass(slots=True)
class OneVersion:
    """The version of the index that every collection has; None while nobody can tell."""

    version: str | None = "1"

    async def current(self, _collection: str) -> str | None:
        if self.version is None:
            raise Unavailable("The state store does not answer.")
        return self.version
