"""Batches of queries: each is answered as the same search would be by itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
import pytest

from services.common.errors import CollectionNotFound, DeadlineExceeded, SearchError
from services.common.request_context import Deadline
from services.gateway.access.doorkeeper import EVERYBODY
from services.gateway.search.answers import Answered, Ask, Asker
from services.gateway.search.api import search_batch
from services.gateway.search.field_names import FieldNames
from services.gateway.search.query.schemas import BatchRequest, SearchOptions
from services.gateway.search.terms import Terms, answered
from services.gateway.settings import GatewaySettings
from tests.gateway.cascades import NamingRecall, OneVersion
from tests.virtual_time import virtual_time


@dataclass
class Late:
    """Keeps to the deadline as the cascade does, which may answer a little later."""

    late: float
    patient: list[bool] = field(default_factory=list)

    async def answer(self, ask: Ask) -> Answered:
        self.patient.append(ask.patient)
        await asyncio.sleep(ask.deadline.remaining() + self.late)
        return Answered(b'{"query":""', "index", degraded=("rank",))

    def terms(self) -> Terms:
        names = FieldNames(NamingRecall(), OneVersion())
        return Terms(self, GatewaySettings(), Asker("-", "-"), EVERYBODY, names, None)


def errors(body: bytes) -> list[str]:
    items = orjson.loads(body)["answers"]
    return [item["error"]["code"] if item["error"] else "" for item in items]


@pytest.mark.parametrize("ms", [20, 100, 1000])
@pytest.mark.parametrize("late", [0.0, 0.04, 0.5])
def test_a_query_of_a_batch_is_given_up_when_a_search_by_itself_is(
    monkeypatch: pytest.MonkeyPatch, ms: int, late: float
) -> None:
    links = Late(late), Late(late)

    async def alone() -> str:
        try:
            await answered("a", SearchOptions(budget_ms=ms), links[0].terms())
        except SearchError as error:
            return error.code
        return ""

    async def together() -> list[str]:
        body = BatchRequest(queries=["a", "b"], budget_ms=ms)
        return errors(bytes((await search_batch(body, links[1].terms())).body))

    expected = DeadlineExceeded.code if late > 0.4 else ""
    with virtual_time(monkeypatch) as run:
        assert run(alone()) == expected
    with virtual_time(monkeypatch) as run:
        assert run(together()) == [expected] * 2


class NoCollection:
    """Neither the search nor the names of fields find the collection."""

    async def answer(self, _ask: Ask) -> Answered:
        raise CollectionNotFound

    async def fields(self, _collection: str, _deadline: Deadline) -> Sequence[str]:
        raise CollectionNotFound

    def terms(self) -> Terms:
        names = FieldNames(self, OneVersion())
        return Terms(self, GatewaySettings(), Asker("-", "-"), EVERYBODY, names, None)


@pytest.mark.parametrize("first", ["水稻", "year:2015 水稻"])
async def test_each_query_of_a_collection_that_is_not_there_has_its_error(first: str) -> None:
    """A colon in one of them, which may name a field, failed the whole batch."""
    body = BatchRequest(queries=[first, "水稻"], syntax="fields")
    answer = await search_batch(body, NoCollection().terms())
    assert errors(bytes(answer.body)) == ["collection_not_found"] * 2


def test_a_query_that_gets_its_turn_after_the_budget_is_patient_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = Late(0.01)
    body = BatchRequest(queries=list(map(str, range(40))), budget_ms=50)

    async def together() -> None:
        await search_batch(body, late.terms())

    with virtual_time(monkeypatch) as run:
        run(together())
    assert all(late.patient)
    assert len(late.patient) > 16
