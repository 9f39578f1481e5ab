"""The link `Cascade` and the link `Admitted`: what the stages make of each other's answers."""

from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from services.common.errors import (
    CollectionNotFound,
    DeadlineExceeded,
    IndexUnavailable,
    InvalidRequest,
    Overloaded,
    SearchError,
    ServiceUnavailable,
)
from services.common.request_context import Deadline
from services.gateway.search.admission.adaptive_limit import AdaptiveLimit
from services.gateway.search.admission.control import AdmissionControl
from services.gateway.search.answers import Ask, Asker
from services.gateway.search.cascade.cascade import Cascade
from services.gateway.search.cascade.hits import Fetched
from services.gateway.search.links.admitted import Admitted
from services.gateway.search.metrics import SearchMetrics
from tests.gateway.cascades import (
    CountingLink,
    CountingRecall,
    PlainRank,
    ask,
    search,
    title,
)


async def test_without_redis_a_chain_of_two_links_answers() -> None:
    admission = AdmissionControl(AdaptiveLimit(2, 2, 2))
    chain = Admitted(
        Cascade(CountingRecall(), PlainRank(), 0.85), admission, SearchMetrics(CollectorRegistry())
    )
    answered = await chain.answer(ask())
    assert (title(answered), answered.degraded, answered.index) == ("第1次", [], "notes__1")


@pytest.mark.parametrize(
    "error",
    [
        ServiceUnavailable("away"),
        DeadlineExceeded("late"),
        InvalidRequest("candidates.3.title: a string is needed"),
    ],
)
async def test_without_rank_the_order_of_recall_is_answered(error: SearchError) -> None:
    answered = await Cascade(CountingRecall(), PlainRank(error), 0.85).answer(ask())
    assert (title(answered), answered.degraded, answered.ranker) == ("第1次", ["rank"], None)
    hit = orjson.loads(answered.content + b"}")["hits"][0]
    assert (hit["score"], hit["scores"]) == (1.0, {"recall": 1.0})


async def test_what_recall_reports_is_passed_on() -> None:
    with pytest.raises(IndexUnavailable):
        await Cascade(CountingRecall(error=IndexUnavailable("away")), PlainRank(), 0.85).answer(
            ask()
        )
    answered = await Cascade(CountingRecall(degraded=["dense"]), PlainRank(), 0.85).answer(ask())
    assert answered.degraded == ["dense"]


class ReplacedIndex(CountingRecall):
    """Its index goes between the search and the reading of the hits."""

    async def documents(self, *args: Any, **options: Any) -> Fetched:
        raise CollectionNotFound("gone")


async def test_an_index_that_was_just_replaced_is_worth_another_try() -> None:
    with pytest.raises(IndexUnavailable, match="just replaced"):
        await Cascade(ReplacedIndex(), PlainRank(), 0.85).answer(ask())


async def test_a_search_without_a_place_is_refused_and_its_place_is_given_back() -> None:
    registry = CollectorRegistry()
    admission = AdmissionControl(AdaptiveLimit(2, 2, 2))
    link = Admitted(CountingLink(error=Overloaded("full")), admission, SearchMetrics(registry))
    with pytest.raises(Overloaded):
        await link.answer(ask())
    assert admission.in_flight == 0
    assert registry.get_sample_value("xunwen_cache_computations_total") == 0
    link.inner = CountingLink(degraded=["rank"])
    await link.answer(ask())
    assert registry.get_sample_value("xunwen_cache_computations_total") == 1


@pytest.mark.parametrize(
    ("budget_ms", "rank", "least", "most"),
    [
        (20, True, 0.0, 0.005),
        (50, True, 0.0, 0.005),
        (100, True, 0.0, 0.005),
        (10_000, True, 1.0, 1.5),
        (10_000, False, 0.005, 0.005),
    ],
)
async def test_a_budget_too_short_for_both_is_spent_on_recall(
    budget_ms: int, rank: bool, least: float, most: float
) -> None:
    """Seconds that recall leaves of the budget are at least `least` and at most `most`."""
    recall = CountingRecall()
    asked = Ask(search(rank=rank), Deadline.after(budget_ms / 1000), Asker("-", "-"))
    await Cascade(recall, PlainRank(), 0.85).answer(asked)
    left = asked.deadline.at - recall.deadlines[0].at
    assert least - 0.001 <= left <= most + 0.001


async def test_rank_is_not_asked_for_what_it_cannot_do_in_time() -> None:
    recall, rank = CountingRecall(seconds=0.09), PlainRank()
    answered = await Cascade(recall, rank, 0.85).answer(ask(seconds=0.1))
    assert (answered.degraded, rank.deadlines) == (["rank"], [])
    assert title(answered) == "第1次"
    answered = await Cascade(recall, rank, 0.85).answer(ask(seconds=10))
    assert (answered.degraded, len(rank.deadlines)) == ([], 1)


@pytest.mark.parametrize(
    ("budget_ms", "rank", "texts", "degraded"),
    [
        (10_000, True, True, []),
        (10_000, False, False, []),
        (40, True, False, ["rank"]),
        (40, False, False, []),
    ],
)
async def test_texts_are_asked_for_only_where_rank_reads_them(
    budget_ms: int, rank: bool, texts: bool, degraded: list[str]
) -> None:
    recall = CountingRecall()
    asked = Ask(search(rank=rank), Deadline.after(budget_ms / 1000), Asker("-", "-"))
    answered = await Cascade(recall, PlainRank(), 0.85).answer(asked)
    assert (recall.texts, answered.degraded) == ([texts], degraded)
