"""Suggestions over the sample's thousand papers, in a table; and when they are made again."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from services.common.errors import CollectionNotFound, IndexUnavailable
from services.common.request_context import Deadline
from services.common.wire.suggest import Frequent, Suggested, SuggestRequest
from services.recall.domain import Index
from services.recall.query.analyzers import IndexAnalyzers
from services.recall.suggestions import suggester as module
from services.recall.suggestions.collected import Collected
from services.recall.suggestions.homophones import did_you_mean
from services.recall.suggestions.index import SuggestionIndex, indexed
from services.recall.suggestions.readings import syllables
from services.recall.suggestions.sorted_text import END, SortedText
from services.recall.suggestions.suggester import Suggester
from tests.analyzers import ANALYZER, ANALYZERS
from tests.stack import PAPERS


@pytest.fixture(scope="module")
def papers() -> SuggestionIndex:
    collected = Collected(100_000)
    with PAPERS.open(encoding="utf-8") as lines:
        for line in lines:
            paper = json.loads(line)
            collected.add(paper["title"], paper["fields"])
    collected.add("挠性航天器的姿态控制", {"authors": ["李小明", "欧阳修", "Zhang San"]})
    collected.add("重庆山地城市的热岛效应", {"keywords": ["绿色建筑", "重庆"]})
    return asyncio.run(indexed(list(collected.texts.values()), ANALYZER))


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("神经网", "神经网络"),
        ("神經網", "神经网络"),
        ("神 经 网", "神经网络"),
        ("sjwl", "神经网络"),
        ("SJWL", "神经网络"),
        ("shenjing", "神经网络"),
        ("shen jing wang", "神经网络"),
        ("shenjingw", "神经网络"),
        ("身经网络", "神经网络"),
        ("数值", "数值模拟"),
        ("szmn", "数值模拟"),
        ("shuzhimoni", "数值模拟"),
        ("数直模拟", "数值模拟"),
        ("遗传算", "遗传算法"),
        ("ycsf", "遗传算法"),
        ("yichuan", "遗传算法"),
        ("仪传算法", "遗传算法"),
        ("gps", "GPS"),
        ("ＧＰＳ", "GPS"),
        ("中国", "中国"),
        ("zhongguo", "中国"),
        ("chuangxin", "创新"),
        ("创薪", "创新"),
        ("生态环", "生态环境"),
        ("生泰环境", "生态环境"),
        ("lixiaoming", "李小明"),
        ("lxm", "李小明"),
        ("ouyangxiu", "欧阳修"),
        ("zhang s", "Zhang San"),
        ("chongqing", "重庆"),
        ("lvsejianzhu", "绿色建筑"),
        ("naoxing", "挠性航天器的姿态控制"),
        ("姿态控制", "挠性航天器的姿态控制"),
        ("山地城市", "重庆山地城市的热岛效应"),
    ],
)
def test_what_is_suggested_first(papers: SuggestionIndex, typed: str, first: str) -> None:
    shown = [one.text for one in papers.suggest(typed, 5)]
    assert first in shown[:1] or (first in shown and first.startswith(("挠", "重庆山"))), shown


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("身经网络", "神经网络"),
        ("基于身经网络", "基于神经网络"),
        ("数直模拟", "数值模拟"),
        ("仪传算法 GPS", "遗传算法GPS"),
        ("生泰环境", "生态环境"),
        ("李晓明", "李小明"),
        ("欧杨修", "欧阳修"),
        ("yichuansuanfa", "遗传算法"),
        ("shen jing wang luo", "神经网络"),
        ("神经网络", None),
        ("神经", None),
        ("GPS", None),
        ("水稻", None),
        ("量子色动力学的格点计算与有效理论及其应用", None),
        ("!?", None),
    ],
)
def test_did_you_mean(papers: SuggestionIndex, typed: str, meant: str | None) -> None:
    assert did_you_mean(typed, papers, ANALYZER) == meant


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("重庆大学", "chong qing da xue"),
        ("女性绿色", "nv xing lv se"),
        ("银行行走", "yin hang xing zou"),
        ("CO2减排", "C O 2 jian pai"),
        ("长江、黄河", "chang jiang  huang he"),
    ],
)
def test_readings(text: str, read: str) -> None:
    assert " ".join(syllables(text)) == read


def suggested(typed: str, *keywords: str) -> list[str]:
    """What a collection with these keywords suggests for a typed text, best first."""
    collected = Collected(100)
    collected.add("", {"keywords": list(keywords)})
    index = asyncio.run(indexed(list(collected.texts.values()), ANALYZER))
    return [one.text for one in index.suggest(typed, 5)]


@pytest.mark.parametrize(
    ("typed", "keywords", "shown"),
    [
        ("数", ["水稻", "双碳", "数学", "树木"], ["数学", "树木"]),
        ("西", ["先天性心脏病", "香蕉", "西瓜", "稀土"], ["西瓜", "稀土"]),
        ("虫", ["重庆", "昆虫"], ["重庆"]),
        ("神经wang", ["神经网络", "神经元"], ["神经网络"]),
        ("身经wang", ["神经网络", "神经元"], ["神经网络"]),
        ("bert摩", ["BERT模型", "贝尔特"], ["BERT模型"]),
        ("c++", ["C++程序设计", "测量", "材料力学"], ["C++程序设计"]),
        ("3.1", ["3.14", "31省", "31 个省份"], ["3.14"]),
        ("β-", ["白藜芦醇"], []),
        ("\U0003106c", ["水稻"], []),
    ],
)
def test_what_is_suggested_sounds_like_each_typed_character(
    typed: str, keywords: list[str], shown: list[str]
) -> None:
    """Otherwise 数 (shu) brings 水稻 (shuidao), and c++ all that begins with c."""
    assert suggested(typed, *keywords) == shown


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("keywords", "keyword"),
        ("Tags", "keyword"),
        ("关键词", "keyword"),
        ("關鍵詞", "keyword"),
        ("标签", "keyword"),
        ("authors", "author"),
        ("作者", "author"),
        ("责任者", "author"),
        ("责任编辑", None),
    ],
)
def test_fields_by_their_usual_names_are_suggested(name: str, kind: str | None) -> None:
    collected = Collected(100)
    collected.add("", {name: ["欧阳修", "水稻"]})
    assert {one.kind for one in collected.texts.values()} == ({kind} if kind else set())


def test_frequent_queries_come_first_and_by_their_sound(papers: SuggestionIndex) -> None:
    frequent = [Frequent(text="神经机器翻译", count=9), Frequent(text="沉积", count=2)]
    for typed in ("神经", "shenjing", "sjjq"):
        best = papers.suggest(typed, 3, frequent)[0]
        assert (best.text, best.kind, best.count) == ("神经机器翻译", "query", 9)


def test_each_text_once_and_no_more_than_asked(papers: SuggestionIndex) -> None:
    shown = [one.text for one in papers.suggest("s", 8)]
    assert len(shown) == len(set(shown)) == 8


def test_a_beginning_that_thousands_share_hides_none_of_them() -> None:
    """Otherwise a title is told as the correction of itself."""
    titles = [f"research on {word} soils" for word in map("{:05d}".format, range(6_000))]
    starts = np.cumsum([0, *(len(one) + 1 for one in titles[:-1])]).astype(np.int32)
    beginnings = SortedText(END.join(titles), starts, np.zeros(len(titles), np.float32), 12)
    for place in (0, 4_100, 5_999):
        assert beginnings.has(titles[place])
        assert [start for start, _ in beginnings.best(titles[place][:17], 5)] == [place]
    assert not beginnings.has("research on 06000")
    assert len(beginnings.best("research on 05", 20)) == 20


def test_an_empty_collection_suggests_nothing() -> None:
    empty = asyncio.run(indexed([], ANALYZER))
    assert empty.suggest("神经", 5) == []
    assert did_you_mean("身经", empty, ANALYZER) is None


@dataclass
class Shelf:
    """A source whose documents the test changes."""

    written: list[str]
    physical: str = "c1"
    error: Exception | None = None
    seconds: float = 0.0
    reads: int = field(default=0, init=False)

    async def words(self, index: Index, deadline: Deadline) -> list[str] | None:
        return None

    async def resolve(self, collection: str, deadline: Deadline) -> Index:
        if collection != "c":
            raise CollectionNotFound
        return Index(self.physical, "e", ANALYZER.identity, lexical=True)

    async def titles(
        self, index: Index, behind: str, most: int, deadline: Deadline
    ) -> list[tuple[str, str, Mapping[str, Any]]]:
        self.reads += 1
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        first = int(behind or -1) + 1
        some = self.written[first : first + most]
        return [(f"{first + place:06d}", title, {}) for place, title in enumerate(some)]


async def shown(suggester: Suggester, typed: str = "神经", version: str = "1" * 16) -> Suggested:
    asked = SuggestRequest(collection="c", typed=typed, limit=5, version=version)
    return await suggester.suggest(asked, Deadline.after(5))


async def test_writes_are_seen_after_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REST", 0.0)
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 600.0)
    shelf = Shelf(["神经网络"])
    suggester = Suggester(shelf, IndexAnalyzers(ANALYZERS, shelf))
    assert [one.text for one in (await shown(suggester)).suggestions] == ["神经网络"]
    shelf.written.append("神经科学")
    for _ in range(3):
        assert len((await shown(suggester, version="2" * 16)).suggestions) == 1, "the pause"
        await asyncio.sleep(0)
    assert shelf.reads == 1
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.0)
    await shown(suggester, version="2" * 16)
    await asyncio.gather(*suggester._making.values())
    assert len((await shown(suggester, version="2" * 16)).suggestions) == 2
    await shown(suggester, version="2" * 16)
    assert shelf.reads == 2, "without further writes it is not read again"
    await suggester.aclose()


async def test_another_index_is_read_at_once_and_a_dropped_one_not_shown() -> None:
    shelf = Shelf(["神经网络"])
    suggester = Suggester(shelf, IndexAnalyzers(ANALYZERS, shelf))
    await shown(suggester)
    shelf.physical, shelf.written = "c2", ["神经科学"]
    assert [one.text for one in (await shown(suggester)).suggestions] == ["神经科学"]
    asked = SuggestRequest(collection="d", typed="神经", limit=5)
    with pytest.raises(CollectionNotFound):
        await suggester.suggest(asked, Deadline.after(5))
    await suggester.aclose()


async def test_an_index_that_is_dropped_while_it_is_read_is_not_shown() -> None:
    class Slow(Shelf):
        async def titles(
            self, index: Index, behind: str, most: int, deadline: Deadline
        ) -> list[tuple[str, str, Mapping[str, Any]]]:
            if index.physical == "c1":
                await dropped.wait()
            return [("1", {"c1": "神经网络", "c2": "神经科学"}[index.physical], {})]

    dropped = asyncio.Event()
    shelf = Slow([])
    suggester = Suggester(shelf, IndexAnalyzers(ANALYZERS, shelf))
    before = asyncio.create_task(shown(suggester))
    await asyncio.sleep(0.01)
    shelf.physical = "c2"
    after = asyncio.create_task(shown(suggester))
    await asyncio.sleep(0.01)
    dropped.set()
    await before
    assert [one.text for one in (await after).suggestions] in ([], ["神经科学"])
    assert [one.text for one in (await shown(suggester)).suggestions] == ["神经科学"]
    await suggester.aclose()


async def test_pages_and_bounds() -> None:
    shelf = Shelf([f"神经网络之{number}" for number in range(2_500)])
    whole = Suggester(shelf, IndexAnalyzers(ANALYZERS, shelf))
    while not (found := await shown(whole, "神经网络之249")).complete:
        assert found.suggestions == []
    assert len(found.suggestions) == 5
    assert shelf.reads == 3
    bounded = Suggester(shelf, IndexAnalyzers(ANALYZERS, shelf), most_texts=1_000)
    while not (found := await shown(bounded)).suggestions:
        assert shelf.reads <= 4
    assert not found.complete
    assert shelf.reads == 4
    for one in (whole, bounded):
        await one.aclose()


async def test_what_was_just_read_again_is_not_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was, if another collection was asked for meanwhile, and the next request read all anew."""

    class Shelves(Shelf):
        async def resolve(self, collection: str, deadline: Deadline) -> Index:
            return Index(collection, "e", ANALYZER.identity, lexical=True)

    async def asked(collection: str, version: str) -> int:
        wanted = SuggestRequest(collection=collection, typed="神经", limit=9, version=version * 16)
        return len((await suggester.suggest(wanted, Deadline.after(5))).suggestions)

    monkeypatch.setattr(module, "_REST", 0.0)
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.0)
    shelf = Shelves(["神经网络", "神经科学"], seconds=0.01)
    suggester = Suggester(shelf, IndexAnalyzers(ANALYZERS, shelf), most_texts=4)
    assert (await asked("a", "1"), await asked("b", "1")) == (2, 2)
    shelf.written.append("神经机器翻译")
    assert (await asked("a", "2"), await asked("b", "1")) == (2, 2)
    await asyncio.gather(*suggester._making.values())
    assert (shelf.reads, await asked("a", "2"), shelf.reads) == (3, 3, 3)
    await suggester.aclose()


async def test_searches_get_their_turns_while_a_page_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[int] = [0]
    """Documents that were counted between two turns of another task."""

    class Watched(Collected):
        def add(self, title: str, fields: Mapping[str, Any]) -> None:
            counted[-1] += 1
            super().add(title, fields)

    async def turns() -> None:
        while True:
            counted.append(0)
            await asyncio.sleep(0)

    monkeypatch.setattr(module, "Collected", Watched)
    shelf = Shelf([f"神经网络之{number}" for number in range(900)])
    suggester = Suggester(shelf, IndexAnalyzers(ANALYZERS, shelf))
    other = asyncio.create_task(turns())
    assert (await shown(suggester)).complete
    other.cancel()
    assert sum(counted) == 900
    assert max(counted) <= 100
    await suggester.aclose()


async def test_what_is_not_read_yet_is_told_and_one_task_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_FIRST_SECONDS", 0.3)
    shelf = Shelf(["神经网络"], seconds=0.7)
    suggester = Suggester(shelf, IndexAnalyzers(ANALYZERS, shelf))
    answers = await asyncio.gather(shown(suggester), shown(suggester))
    assert [one.complete for one in answers] == [False, False]
    while not (await shown(suggester)).complete:
        assert shelf.reads == 1
    assert shelf.reads == 1
    await suggester.aclose()


async def test_a_slip_is_not_suggested_however_often_it_is_asked() -> None:
    shelf = Shelf(["神经网络"])
    suggester = Suggester(shelf, IndexAnalyzers(ANALYZERS, shelf))
    frequent = [Frequent(text=text, count=50) for text in ("身经网络", "神经机器翻译")]
    asked = SuggestRequest(collection="c", typed="shenjing", limit=2, frequent=frequent)
    found = await suggester.suggest(asked, Deadline.after(5))
    assert [one.text for one in found.suggestions] == ["神经机器翻译", "神经网络"]
    await suggester.aclose()


async def test_a_failure_is_tried_again() -> None:
    shelf = Shelf(["神经网络"], error=IndexUnavailable())
    suggester = Suggester(shelf, IndexAnalyzers(ANALYZERS, shelf))
    assert (await shown(suggester)).suggestions == []
    shelf.error = None
    assert len((await shown(suggester)).suggestions) == 1
    await suggester.aclose()
