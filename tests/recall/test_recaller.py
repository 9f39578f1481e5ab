"""The recaller with hand-written legs: what it answers when a leg fails, is late or is absent."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from services.common.errors import (
    Conflict,
    DeadlineExceeded,
    EncoderMismatch,
    IndexUnavailable,
    InvalidRequest,
    ModelUnavailable,
    SearchError,
)
from services.common.request_context import Deadline
from services.common.text import Analyzers, WordAnalyzer
from services.common.wire.facets import FacetCounts, FacetWanted
from services.common.wire.recall import Mode, Replaced, RulesOfQuery
from services.recall.domain import Counter, Found, Index, Key, Wanted
from services.recall.findings import Finder
from services.recall.legs.fusion import Fusion
from services.recall.query.analyzers import IndexAnalyzers
from services.recall.recalled import Recalled, written
from services.recall.recaller import Recaller
from tests.analyzers import ANALYZERS
from tests.recall.legs import IDENTITY, FakeEncoder, FakeIndex


async def search(
    index: FakeIndex,
    encoder: FakeEncoder | None = None,
    *,
    query: str = "企业文化",
    mode: Mode = Mode.HYBRID,
    seconds: float = 10,
    texts: bool = True,
    rules: RulesOfQuery | None = None,
    counter: Counter | None = None,
) -> Recalled:
    """A search; with a counter it asks for a facet."""
    analyzers = IndexAnalyzers(ANALYZERS, index)
    finder = Finder(index, encoder or FakeEncoder(), analyzers)
    recaller = Recaller(finder, Fusion(), counter=counter)
    facets = [FacetWanted(field="year")] if counter else []
    return await recaller.search(
        query,
        "c",
        Wanted(10, 10, texts=texts, rules=rules or RulesOfQuery(), facets=facets),
        mode=mode,
        condition=None,
        deadline=Deadline.after(seconds),
    )


def ids(recalled: Recalled) -> set[str]:
    return {each.document.id for each in recalled.candidates}


async def test_both_legs_answer() -> None:
    recalled = await search(FakeIndex())
    assert ids(recalled) == {"dense", "lexical"}
    assert recalled.degraded == []
    assert recalled.terms == ["企业", "文化"]
    assert {stage.name for stage in recalled.stages} == {
        "encode",
        "dense",
        "lexical",
        "fuse",
        "texts",
    }


async def test_each_leg_is_usable_alone() -> None:
    dense = await search(FakeIndex(lexical_error=IndexUnavailable()), mode=Mode.DENSE)
    assert (ids(dense), dense.degraded) == ({"dense"}, [])
    lexical = await search(FakeIndex(), FakeEncoder(error=ModelUnavailable()), mode=Mode.LEXICAL)
    assert (ids(lexical), lexical.degraded) == ({"lexical"}, [])


async def test_a_failed_leg_is_named_and_the_other_answers() -> None:
    recalled = await search(FakeIndex(lexical_error=IndexUnavailable()))
    assert (ids(recalled), recalled.degraded) == ({"dense"}, ["lexical"])
    recalled = await search(FakeIndex(), FakeEncoder(error=ModelUnavailable()))
    assert (ids(recalled), recalled.degraded) == ({"lexical"}, ["dense"])


@dataclass
class OwnWords(FakeIndex):
    """An index that was filled with a user dictionary, which can be read from a moment on."""

    described: Index = field(
        default_factory=lambda: Index("own", "e", WordAnalyzer(["引力波透镜"]).identity, True)
    )
    readable: asyncio.Event = field(default_factory=asyncio.Event)

    async def words(self, index: Index, deadline: Deadline) -> list[str] | None:
        await self.readable.wait()
        return ["引力波透镜"]


async def test_a_dictionary_that_is_read_late_costs_the_leg_of_words_and_no_more() -> None:
    index = OwnWords()
    recaller = Recaller(Finder(index, FakeEncoder(), IndexAnalyzers(Analyzers(), index)), Fusion())

    async def ask(mode: Mode, seconds: float) -> Recalled:
        wanted = Wanted(10, 10)
        deadline = Deadline.after(seconds)
        return await recaller.search(
            "引力波透镜", "c", wanted, mode=mode, condition=None, deadline=deadline
        )

    recalled = await ask(Mode.HYBRID, 0.8)
    assert (ids(recalled), recalled.degraded) == ({"dense"}, ["lexical"])
    with pytest.raises(DeadlineExceeded, match="dictionary"):
        await ask(Mode.LEXICAL, 0.1)
    index.readable.set()
    whole = await ask(Mode.HYBRID, 60)
    assert (ids(whole), whole.degraded) == ({"dense", "lexical"}, [])
    assert "引力波透镜" in index.ways[0]


async def test_a_late_leg_is_cancelled_and_named_within_the_budget() -> None:
    index = FakeIndex(lexical_seconds=60)
    started = time.monotonic()
    recalled = await search(index, seconds=1)
    await asyncio.sleep(0)
    assert time.monotonic() - started < 60
    assert (ids(recalled), recalled.degraded) == ({"dense"}, ["lexical"])
    assert index.cancelled


async def test_no_leg_is_the_first_error() -> None:
    index = FakeIndex(dense_error=IndexUnavailable("away"), lexical_error=IndexUnavailable())
    with pytest.raises(IndexUnavailable, match="away"):
        await search(index)
    with pytest.raises(DeadlineExceeded):
        await search(FakeIndex(lexical_seconds=60), mode=Mode.LEXICAL, seconds=0.05)


async def test_a_server_without_bm25_degrades_hybrid_and_refuses_lexical() -> None:
    index = FakeIndex(Index("p", "e", IDENTITY, lexical=False))
    recalled = await search(index)
    assert (ids(recalled), recalled.degraded) == ({"dense"}, ["lexical"])
    with pytest.raises(Conflict, match="mode dense"):
        await search(index, mode=Mode.LEXICAL)


async def test_words_of_another_analysis_are_not_compared() -> None:
    recalled = await search(FakeIndex(Index("p", "e", f"{IDENTITY}d0123abcd", lexical=True)))
    assert recalled.degraded == ["lexical"]


async def test_without_its_encoder_a_collection_is_searched_by_words() -> None:
    index = FakeIndex(Index("p", "other", IDENTITY, True))
    with pytest.raises(EncoderMismatch):
        await search(index, mode=Mode.DENSE)
    recalled = await search(index)
    assert (ids(recalled), recalled.degraded) == ({"lexical"}, ["dense"])
    recalled = await search(index, mode=Mode.LEXICAL)
    assert (ids(recalled), recalled.degraded) == ({"lexical"}, [])


async def test_a_collection_of_another_encoder_and_another_analysis_is_refused() -> None:
    """Such are the collections of 0.1.0, so that the page on upgrading speaks of them."""
    earlier = Index("p", "other", "1", True)
    with pytest.raises(EncoderMismatch):
        await search(FakeIndex(earlier))
    with pytest.raises(Conflict, match="rebuild"):
        await search(FakeIndex(earlier), mode=Mode.LEXICAL)
    kept = await search(FakeIndex(earlier), encoder=FakeEncoder("other"))
    assert (ids(kept), kept.degraded) == ({"dense"}, ["lexical"])


async def test_signs_alone_find_nothing() -> None:
    for query in ("？！", "🙂"):
        recalled = await search(FakeIndex(), query=query)
        assert (ids(recalled), recalled.degraded) == (set(), [])


async def test_what_rank_reads_comes_along_where_it_is_wanted() -> None:
    told = await search(FakeIndex())
    assert {each.document.title for each in told.candidates} == {"题 dense", "题 lexical"}
    assert "texts" in {stage.name for stage in told.stages}
    untold = await search(FakeIndex(texts_error=IndexUnavailable()), texts=False)
    assert ({each.document.title for each in untold.candidates}, untold.degraded) == ({""}, [])


async def test_texts_that_cannot_be_fetched_are_named() -> None:
    recalled = await search(FakeIndex(texts_error=IndexUnavailable()))
    assert (ids(recalled), recalled.degraded) == ({"dense", "lexical"}, ["texts"])


@dataclass
class FakeCounter:
    """Counts nothing but how many documents it is given, or fails."""

    error: SearchError | None = None

    async def counts(
        self,
        index: Index,
        keys: Sequence[Key],
        facets: Sequence[FacetWanted],
        deadline: Deadline,
    ) -> FacetCounts:
        if self.error:
            raise self.error
        return FacetCounts(total=len(keys), facets={})


@pytest.mark.parametrize("error", [IndexUnavailable(), DeadlineExceeded()])
async def test_counts_that_cannot_be_made_are_named(error: SearchError) -> None:
    recalled = await search(FakeIndex(), counter=FakeCounter(error))
    assert ids(recalled) == {"dense", "lexical"}
    assert (recalled.degraded, recalled.counted) == (["facets"], None)
    counted = (await search(FakeIndex(), counter=FakeCounter())).counted
    assert counted is not None
    assert counted.total == 2


async def test_counts_of_an_unknown_field_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="no such field"):
        await search(FakeIndex(), counter=FakeCounter(InvalidRequest("no such field")))


async def test_pins_come_first_and_hidden_documents_are_not_asked_for() -> None:
    index = FakeIndex(stored=("pin", "lexical"))
    rules = RulesOfQuery(pinned=["pin", "gone", "lexical"], hidden=["dense"])
    recalled = await search(index, rules=rules)
    assert [one.document.id for one in recalled.candidates] == ["pin", "lexical", "dense"]
    assert recalled.pinned == ["pin", "lexical"]
    assert recalled.found == 3
    assert index.expression == 'id != "dense"'


async def test_pins_that_cannot_be_fetched_are_told() -> None:
    index = FakeIndex(texts_error=IndexUnavailable())
    recalled = await search(index, texts=False, rules=RulesOfQuery(pinned=["pin"]))
    assert recalled.degraded == ["rules"]


@pytest.mark.parametrize("mode", Mode)
async def test_pins_of_a_query_without_words_are_found(mode: Mode) -> None:
    """Its owner may pin documents to it just because nothing else is found."""
    rules = RulesOfQuery(pinned=["pin", "gone"])
    counter = FakeCounter()
    recalled = await search(
        FakeIndex(stored=("pin",)), query="🙂", mode=mode, rules=rules, counter=counter
    )
    assert [one.document.title for one in recalled.candidates] == ["题 pin"]
    assert (recalled.pinned, recalled.found, recalled.degraded) == (["pin"], 1, [])
    assert recalled.counted is not None
    assert recalled.counted.total == 1
    away = FakeIndex(texts_error=IndexUnavailable())
    recalled = await search(away, query="🙂", mode=mode, texts=False, rules=rules)
    assert (recalled.candidates, recalled.degraded) == ([], ["rules"])


async def test_each_way_to_say_the_query_is_looked_up() -> None:
    index = FakeIndex()
    rules = RulesOfQuery(synonyms=[Replaced(word="cnn", by=["卷积神经网络"])])
    recalled = await search(index, query="CNN", mode=Mode.LEXICAL, rules=rules)
    words = ANALYZERS.of("c").query_words
    assert index.ways == [words("CNN"), words("卷积神经网络")]
    assert {"cnn", "神经网络"} <= set(recalled.terms)


async def test_candidates_have_the_wording_that_they_hold_most_of() -> None:
    titles = {"dense": "CNN 与水稻", "lexical": "水稻的卷积神经网络识别"}

    class Titled(FakeIndex):
        async def with_texts(
            self, index: Index, found: Sequence[Found], deadline: Deadline
        ) -> list[Found]:
            return [one._replace(title=titles[one.id]) for one in found]

    rules = RulesOfQuery(synonyms=[Replaced(word="cnn", by=["卷积神经网络"])])
    recalled = await search(Titled(), query="CNN 水稻", rules=rules)
    wordings = {one.document.id: one.wording for one in recalled.candidates}
    assert wordings == {"dense": None, "lexical": "卷积神经网络 水稻"}
    assert '"wording":"卷积神经网络 水稻"' in written(recalled).decode()
    plain = await search(Titled(), query="CNN 水稻")
    assert {one.wording for one in plain.candidates} == {None}
