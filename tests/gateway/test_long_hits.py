"""Hits with long texts: their highlights keep nobody waiting."""

import threading
from typing import Any

import orjson
import pytest

from services.common.wire.rank import RankedHit
from services.gateway.search.answers import Answered
from services.gateway.search.cascade.cascade import Cascade, CascadeResult
from services.gateway.search.cascade.hits import Fetched, RecallAnswer, finished_beside
from tests.gateway.cascades import CountingRecall, PlainRank, ask, search
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


class Watched(dict[str, Any]):
    """A document that notes in which thread it is made a hit."""

    thread = 0

    def __getitem__(self, name: str) -> Any:
        if name == "id":
            self.thread = threading.get_ident()
        return super().__getitem__(name)


@pytest.mark.parametrize(
    ("hits", "title", "text", "passages", "beside"),
    [
        (10, 40, 240, 0, False),
        (10, 40, 0, 4, False),
        (20, 0, 1_000, 0, True),
        (20, 1_000, 0, 0, True),
        (100, 0, 0, 4, True),
    ],
)
async def test_hits_with_much_to_mark_are_made_beside_the_event_loop(
    hits: int, title: int, text: int, passages: int, beside: bool
) -> None:
    """Titles and passages are marked as texts are."""
    places = {"number": 0, "start": 0, "end": 160, "page": None, "section": "", "text": "文" * 160}
    documents = [
        Watched(id=str(place), title="题" * title, text="文" * text, fields={})
        for place in range(hits)
    ]
    shown = {"count": passages, "passages": [places] * passages}
    fetched = Fetched(documents, {str(place): shown for place in range(hits) if passages})
    ranked = [RankedHit(id=str(place), score=0.5, scores={}) for place in range(hits)]
    recalled = RecallAnswer(index="notes__1", terms=["靶"])
    made = await finished_beside(search(), recalled, ranked, fetched)
    assert len(made) == hits
    assert {one.thread != threading.get_ident() for one in documents} == {beside}
