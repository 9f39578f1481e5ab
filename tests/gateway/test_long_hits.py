"""Hits with long texts: their highlights keep nobody waiting."""

from typing import Any

import orjson
import pytest

from services.common.wire.rank import RankedHit
from services.gateway.search.answers import Answered
from services.gateway.search.cascade.cascade import Cascade, CascadeResult
from services.gateway.search.cascade.hits import RecallAnswer
from tests.gateway.cascades import CountingRecall, PlainRank, ask
from tests.turns import turns_beside

SENTENCE = "水稻病害的识别与卫星姿态控制方法研究。"
LENGTH = 20_000


async def answered(texts: list[str]) -> Answered:
    """The answer whose hits have these texts."""
    documents = [
        {"id": str(place), "title": "", "text": text, "fields": {}}
        for place, text in enumerate(texts)
    ]
    recalled = RecallAnswer(index="notes__1", terms=["水稻", "靶"], documents=documents)
    hits = [RankedHit(id=one["id"], score=0.5, scores={}) for one in documents]
    cascade = Cascade(CountingRecall(), PlainRank(), 0.85)
    return await cascade.finished(ask(), CascadeResult(recalled, hits), hits, {})


async def test_others_are_served_while_long_texts_are_marked() -> None:
    """One search for the longest texts would else stop its gateway for seconds."""
    async with turns_beside() as turns:
        await answered([(SENTENCE * LENGTH)[:LENGTH]] * 20)
    assert turns.taken > 1


@pytest.mark.parametrize(
    ("hits", "place", "marked"),
    [(1, 19_000, True), (20, 19_000, True), (100, 19_000, False), (100, 3_000, True)],
)
async def test_of_many_long_texts_each_is_searched_for_its_share(
    hits: int, place: int, marked: bool
) -> None:
    text = f"{'文' * place}靶{'文' * (LENGTH - place)}"
    body: dict[str, Any] = orjson.loads((await answered([text] * hits)).content + b"}")
    assert [bool(hit["highlights"]) for hit in body["hits"]] == [marked] * hits
