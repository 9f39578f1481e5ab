"""Budgets through gateway and recall, in virtual time: an answer whenever something was found."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx
import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.calls.client import ServiceClient
from services.common.documents import Content
from services.common.errors import DeadlineExceeded
from services.common.request_context import DEADLINE_HEADER, LATE_SECONDS, Deadline, read_deadline
from services.common.wire.recall import RecallRequest
from services.gateway.search.answers import Ask, Asker
from services.gateway.search.cascade.cascade import Cascade
from services.gateway.search.cascade.rank_service import RankService
from services.gateway.search.cascade.recall_service import RecallService
from services.recall.domain import Found, Index, Vector, Wanted
from services.recall.findings import Finder
from services.recall.legs.fusion import Fusion
from services.recall.query.analyzers import IndexAnalyzers
from services.recall.recalled import written
from services.recall.recaller import Recaller
from tests.analyzers import ANALYZERS
from tests.gateway.cascades import search
from tests.indexes import EmptyIndex
from tests.virtual_time import virtual_time

_HOP_SECONDS = 0.002
_FETCH_SECONDS = 0.002


async def _within(seconds: float, deadline: Deadline) -> None:
    """Takes so long, or until the deadline as a call of the index does."""
    try:
        async with asyncio.timeout(deadline.remaining()):
            await asyncio.sleep(seconds)
    except TimeoutError:
        raise DeadlineExceeded("The index did not answer within the budget.") from None


@dataclass(frozen=True)
class _SlowIndex(EmptyIndex):
    dense_seconds: float
    lexical_seconds: float

    async def words(self, index: Index, deadline: Deadline) -> list[str] | None:
        return None

    async def resolve(
        self, collection: str, deadline: Deadline, version: str | None = None
    ) -> Index:
        await _within(_FETCH_SECONDS, deadline)
        return Index("notes__1", "e", ANALYZERS.of("notes").identity, lexical=True)

    async def nearest(
        self, index: Index, vector: Vector, n: int, expression: str, deadline: Deadline
    ) -> list[Found]:
        await _within(self.dense_seconds, deadline)
        return [Found("a", 0.9), Found("b", 0.8)]

    async def matching(
        self,
        index: Index,
        ways: Sequence[Sequence[str]],
        n: int,
        expression: str,
        deadline: Deadline,
    ) -> list[Found]:
        await _within(self.lexical_seconds, deadline)
        return [Found("b", 7.0), Found("c", 3.0)]

    async def with_texts(
        self, index: Index, found: Sequence[Found], deadline: Deadline
    ) -> list[Found]:
        await _within(_FETCH_SECONDS, deadline)
        return list(found)

    async def documents(
        self,
        physical: str,
        keys: Sequence[tuple[str, int | None]],
        server_time: int | None,
        deadline: Deadline,
    ) -> list[Content]:
        await _within(_FETCH_SECONDS, deadline)
        return [Content(id=one, title=f"题{one}") for one, _ in keys]


@dataclass(frozen=True)
class _SlowEncoder:
    seconds: float
    fingerprint: str = "e"

    async def encode_query(self, fingerprint: str, query: str, deadline: Deadline) -> Vector:
        await _within(self.seconds, deadline)
        return np.ones(2, dtype=np.float32)


@dataclass(frozen=True)
class _Services:
    """Recall and rank behind a ServiceClient that needs a while for each way."""

    recaller: Recaller
    rank_seconds: float

    async def send(
        self, _method: str, path: str, *, content: bytes, headers: Mapping[str, str],
        deadline: Deadline, **_: Any,
    ) -> httpx.Response:  # fmt: skip
        try:
            async with asyncio.timeout(deadline.remaining()):
                await asyncio.sleep(_HOP_SECONDS)
                by = read_deadline(headers[DEADLINE_HEADER])
                assert by is not None
                answer = await self._answer(path, content, by)
                await asyncio.sleep(_HOP_SECONDS)
        except TimeoutError:
            raise DeadlineExceeded("The service did not answer within the budget.") from None
        return httpx.Response(200, content=answer)

    async def _answer(self, path: str, content: bytes, deadline: Deadline) -> bytes:
        if path == "/rank":
            await asyncio.sleep(self.rank_seconds)
            hits = [{"id": "b", "score": 0.5, "scores": {}}]
            return orjson.dumps({"hits": hits, "ranker": "f", "stages": []})
        if path == "/documents":
            await asyncio.sleep(_FETCH_SECONDS)
            documents = [
                {"id": one, "title": "题", "text": "", "fields": {}}
                for one in orjson.loads(content)["ids"]
            ]
            return orjson.dumps({"documents": documents})
        body = RecallRequest.model_validate_json(content)
        wanted = Wanted(body.top_n, body.best or body.top_n, body.texts, body.documents)
        return written(
            await self.recaller.search(
                body.query, body.collection, wanted,
                mode=body.mode, condition=None, deadline=deadline,
            )
        )  # fmt: skip


_MS = st.integers(0, 400).map(lambda ms: ms / 1000)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    budget_ms=st.integers(1, 1_000),
    encode=_MS,
    dense=_MS,
    lexical=_MS,
    rank=st.one_of(st.none(), _MS),
)
def test_whatever_was_found_in_time_is_answered(
    monkeypatch: pytest.MonkeyPatch,
    budget_ms: int,
    encode: float,
    dense: float,
    lexical: float,
    rank: float | None,
) -> None:
    budget = budget_ms / 1000
    index = _SlowIndex(dense, lexical)
    analyzers = IndexAnalyzers(ANALYZERS, index)
    # As after the first search of a collection.
    finder = Finder(index, _SlowEncoder(encode), analyzers, encoders_seen={"notes": "e"})
    recaller = Recaller(finder, Fusion())
    client = cast(ServiceClient, _Services(recaller, rank or 0.0))
    cascade = Cascade(RecallService(client), RankService(client), 0.85)

    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        ask = Ask(search(rank=rank is not None), Deadline.after(budget), Asker("-", "-"))
        first = _FETCH_SECONDS + min(lexical, max(encode - _FETCH_SECONDS, 0) + dense)
        # What recall has after its last moment comes too late: that is its part of the budget, cut
        # to whole milliseconds, and the time that is granted where nothing was found yet.
        certain = first < 0.6 * budget + LATE_SECONDS - 0.006
        try:
            answered = await cascade.answer(ask)
        except DeadlineExceeded:
            assert not certain
        else:
            assert orjson.loads(answered.content + b"}")["hits"]
            late = first + 5 * _FETCH_SECONDS
            for leg, seconds in (("lexical", lexical), ("dense", encode + dense)):
                if seconds + late + 0.02 < 0.5 * budget:
                    assert leg not in answered.degraded
                if _FETCH_SECONDS + seconds > budget + LATE_SECONDS:
                    assert leg in answered.degraded
        return loop.time() - started

    with monkeypatch.context() as patch, virtual_time(patch) as run:
        took = run(scenario())
    assert took <= budget + LATE_SECONDS + 0.01
