"""When the names of a collection's fields are asked for again, and how long a search waits for
them."""

import asyncio
from dataclasses import dataclass, field

import pytest

from services.common.request_context import Deadline
from services.gateway.access.doorkeeper import EVERYBODY
from services.gateway.search.answers import Answered, Ask, Asker
from services.gateway.search.field_names import FieldNames
from services.gateway.search.query.schemas import SearchOptions
from services.gateway.search.terms import Terms, answered
from services.gateway.settings import GatewaySettings
from tests.gateway.cascades import NamingRecall, OneVersion
from tests.virtual_time import virtual_time


@dataclass
class Echo:
    """Takes every search."""

    asks: list[Ask] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    """Seconds of the budget that each search had left."""

    async def answer(self, ask: Ask) -> Answered:
        self.asks.append(ask)
        self.left.append(ask.deadline.remaining())
        return Answered(b"{", "index")


def soon() -> Deadline:
    return Deadline.after(5)


async def test_a_field_that_was_just_written_is_known() -> None:
    recall, versions = NamingRecall(), OneVersion()
    names = FieldNames(recall, versions)
    assert await names.of("notes", soon()) == ("year",)
    recall.names, versions.version = ("grant", "year"), "2"
    assert await names.of("notes", soon()) == ("grant", "year")


async def test_without_a_write_names_are_asked_for_once() -> None:
    recall = NamingRecall()
    names = FieldNames(recall, OneVersion())
    for _ in range(3):
        await names.of("notes", soon())
    assert recall.asked == 1


async def test_names_stay_known_while_the_versions_or_recall_are_away() -> None:
    recall, versions = NamingRecall(), OneVersion()
    names = FieldNames(recall, versions)
    await names.of("notes", soon())
    versions.version = None
    assert await names.of("notes", soon()) == ("year",)
    assert recall.asked == 1
    versions.version, recall.away = "2", True
    assert await names.of("notes", soon()) == ("year",)
    recall.away, recall.names = False, ("grant",)
    assert await names.of("notes", soon()) == ("grant",)


def test_a_search_with_operators_keeps_its_budget_while_recall_is_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The names of the fields that most collections have replace those that come too late."""
    echo, recall = Echo(), NamingRecall(slow=30)
    terms = Terms(
        echo, GatewaySettings(), Asker("-", "-"), EVERYBODY, FieldNames(recall, OneVersion()), None
    )
    options = SearchOptions(syntax="fields", budget_ms=200)

    async def seconds() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await answered("路基 year:2019", options, terms)
        return loop.time() - began

    with virtual_time(monkeypatch) as run:
        assert run(seconds()) == pytest.approx(0.05), "a quarter of the budget"
    (ask,) = echo.asks
    assert ask.search.filter == {"year": {"any": [2019, "2019"]}}
    assert echo.left == pytest.approx([0.15])
    assert ask.started < recall.asked_at, "the waiting counts as time that the search took"
