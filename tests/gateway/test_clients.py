"""What the gateway sends to the services behind it."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import httpx
import orjson
import pytest

from services.common.calls.client import ServiceClient
from services.common.errors import Unavailable
from services.common.request_context import DEADLINE_HEADER, Deadline
from services.common.wire.rank import MAX_TEXT_CHARS, RankCandidate, RankRequest
from services.common.wire.recall import Mode, SimilarRequest
from services.common.wire.suggest import SuggestRequest
from services.gateway.search.cascade.hits import RecallAnswer
from services.gateway.search.cascade.rank_service import RankService
from services.gateway.search.cascade.recall_service import RecallService
from services.gateway.search.query.search import Arrangement, Search
from tests.gateway.cascades import search as search_for


class _Recorder:
    """A ServiceClient that keeps the body it is given and answers with no hits."""

    def __init__(self) -> None:
        self.body: Any = None
        self.headers: Any = None

    async def send(
        self, _method: str, _path: str, *, content: bytes, headers: Any, **_: Any
    ) -> httpx.Response:
        self.body = orjson.loads(content)
        self.headers = headers
        answer: dict[str, Any] = {"hits": [], "ranker": "r", "stages": []}
        answer |= {"candidates": [], "index": "i", "encoder": "e", "terms": [], "degraded": []}
        answer |= {"found": 0, "documents": None}
        return httpx.Response(200, json=answer)


async def test_rank_gets_what_it_reads_and_nothing_else() -> None:
    recorder = _Recorder()
    recalled = {
        "id": "a", "title": "题", "text": "文" * 30_000, "fields": {"year": 2020},
        "dense": 0.5, "score": 1.0, "wording": "询",
    }  # fmt: skip
    search = Search(
        query="查", collection="c", top_k=3, recall_k=10, mode=Mode.HYBRID, filter=None,
        rank=True, diversity=0.0, explain=False, fields=None,
    )  # fmt: skip
    service = RankService(cast(ServiceClient, recorder))
    await service.rank(search, RecallAnswer(index="i", candidates=[recalled]), Deadline.after(1))
    request = RankRequest.model_validate(recorder.body)
    assert set(recorder.body["candidates"][0]) == set(RankCandidate.model_fields)
    assert request.candidates[0].text == "文" * MAX_TEXT_CHARS
    assert (request.candidates[0].dense, request.candidates[0].lexical) == (0.5, None)
    assert request.candidates[0].wording == "询"


@pytest.mark.parametrize("budget_ms", [20, 50, 1000, 30_000])
async def test_a_service_is_to_answer_before_the_gateway_gives_up(
    budget_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has by then, one leg or the coarse order, must still arrive."""
    standing = SimpleNamespace(monotonic=lambda: 1000.0)
    monkeypatch.setattr("services.common.request_context.time", standing)
    recorder = _Recorder()
    client = cast(ServiceClient, recorder)
    search = search_for("查")
    for call in (
        RecallService(client).recall(
            search, Deadline.after(budget_ms / 1000), texts=True, version=None, rules=None
        ),
        RankService(client).rank(search, RecallAnswer(index="i"), Deadline.after(budget_ms / 1000)),
    ):
        await call
        given = int(recorder.headers[DEADLINE_HEADER])
        assert budget_ms * 0.4 <= given < budget_ms


class _Odd:
    """A ServiceClient whose service answers with the same bytes whatever it is asked."""

    name = "other"

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def send(self, *_: object, **__: object) -> httpx.Response:
        return httpx.Response(200, content=self._content)


CALLS: dict[str, Callable[[ServiceClient, Deadline], Awaitable[object]]] = {
    "recall": lambda client, by: RecallService(client).recall(
        search_for("查"), by, texts=True, version=None, rules=None
    ),
    "documents": lambda client, by: RecallService(client).documents(
        "c", "i", ["a"], by, version=None, versions={}, passages={}
    ),
    "similar": lambda client, by: RecallService(client).similar(
        SimilarRequest(collection="c", id="a", top_n=1), by
    ),
    "arrange": lambda client, by: RecallService(client).arrange(
        Arrangement(), "c", [], by, version=None
    ),
    "listed": lambda client, by: RecallService(client).listed(search_for(""), 1, by, version=None),
    "fields": lambda client, by: RecallService(client).fields("c", by),
    "suggest": lambda client, by: RecallService(client).suggest(
        SuggestRequest(collection="c", typed="查", limit=1), by
    ),
    "rank": lambda client, by: RankService(client).rank(
        search_for("查"), RecallAnswer(index="i"), by
    ),
}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null", b"3", b"\xff"])
@pytest.mark.parametrize("call", CALLS)
async def test_an_answer_that_cannot_be_read_counts_as_none(call: str, content: bytes) -> None:
    with pytest.raises(Unavailable, match="The other service gave no readable answer"):
        await CALLS[call](cast(ServiceClient, _Odd(content)), Deadline.after(1))
