"""When the names of a collection's fields are asked for again, and how long a search waits for
them."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.common.errors import Unavailable
from services.common.request_context import Deadline
from services.gateway.access.doorkeeper import EVERYBODY
from services.gateway.search.answers import Answered, Ask, Asker
from services.gateway.search.api import Terms, answered
from services.gateway.search.field_names import FieldNames
from services.gateway.search.schemas import SearchOptions
from services.gateway.settings import GatewaySettings


@dataclass
class Recall:
    """Knows the fields of every collection; `slow` seconds pass before it answers."""

    names: Sequence[str] = ("year",)
    slow: float = 0.0
    away: bool = False
    asked: int = 0

    async def fields(self, _collection: str, deadline: Deadline) -> Sequence[str]:
        self.asked += 1
        if self.away:
            raise Unavailable("Recall does not answer.")
        if self.slow > deadline.remaining():
            await asyncio.sleep(deadline.remaining())
            raise Unavailable("Recall did not answer in time.")
        await asyncio.sleep(self.slow)
        return self.names


@dataclass
class Versions:
    """The version of the index that every collection has."""

    version: str | None = "1"

    async def current(self, _collection: str) -> str | None:
        if self.version is None:
            raise Unavailable("The state store does not answer.")
        return self.version


@dataclass
class Echo:
    """Takes every search."""

    asks: list[Ask] = field(default_factory=list)

    async def answer(self, ask: Ask) -> Answered:
        self.asks.append(ask)
        return Answered(b"{", "index")


def soon() -> Deadline:
    return Deadline.after(5)


async def test_a_field_that_was_just_written_is_known() -> None:
    recall, versions = Recall(), Versions()
    names = FieldNames(recall, versions)
    assert await names.of("notes", soon()) == ("year",)
    recall.names, versions.version = ("grant", "year"), "2"
    assert await names.of("notes", soon()) == ("grant", "year")


async def test_without_a_write_names_are_asked_for_once() -> None:
    recall = Recall()
    names = FieldNames(recall, Versions())
    for _ in range(3):
        await names.of("notes", soon())
    assert recall.asked == 1


async def test_names_stay_known_while_the_versions_or_recall_are_away() -> None:
    recall, versions = Recall(), Versions()
    names = FieldNames(recall, versions)
    await names.of("notes", soon())
    versions.version = None
    assert await names.of("notes", soon()) == ("year",)
    assert recall.asked == 1
    versions.version, recall.away = "2", True
    assert await names.of("notes", soon()) == ("year",)
    recall.away, recall.names = False, ("grant",)
    assert await names.of("notes", soon()) == ("grant",)


async def test_a_search_with_operators_keeps_its_budget_while_recall_is_slow() -> None:
    """The names of the fields that most collections have replace those that come too late."""
    echo = Echo()
    terms = Terms(
        echo, GatewaySettings(), Asker("-", "-"), EVERYBODY,
        FieldNames(Recall(slow=30), Versions()), None,
    )  # fmt: skip
    began = time.monotonic()
    options = SearchOptions(syntax="fields", budget_ms=200)
    ask, _ = await answered("路基 year:2019", options, terms)
    assert time.monotonic() - began < 0.2
    assert ask.search.filter == {"year": {"any": [2019, "2019"]}}
    assert 0 < ask.deadline.remaining() < 0.2
    assert time.perf_counter() - ask.started >= 0.05
