"""What synonyms, stop words and pins do to a query, in tables with Chinese names and terms."""

import pytest

from services.common.wire.arrange import ArrangeRequest
from services.common.wire.recall import MAX_CANDIDATES, MAX_PINNED, Replaced, RulesOfQuery
from services.recall.domain import Found
from services.recall.legs.fusion import Fused, Fusion, fuse
from services.recall.query.rules import (
    MOST_WAYS,
    fitting,
    marked_terms,
    pins_first,
    sayings,
    unhidden,
)
from tests.analyzers import ANALYZER


def rules(*synonyms: tuple[str, str], stop_words: tuple[str, ...] = ()) -> RulesOfQuery:
    by: dict[str, list[str]] = {}
    for word, other in synonyms:
        by.setdefault(word, []).append(other)
    return RulesOfQuery(
        synonyms=[Replaced(word=word, by=others) for word, others in by.items()],
        stop_words=list(stop_words),
    )


@pytest.mark.parametrize(
    ("query", "word", "other", "said"),
    [
        ("CNN 水稻识别", "cnn", "卷积神经网络", "卷积神经网络 水稻识别"),
        ("卷积神经网络水稻识别", "卷积神经网络", "cnn", "cnn 水稻识别"),
        ("卷積神經網絡", "卷积神经网络", "cnn", "cnn"),
        ("支持向量机在水稻中的应用", "支持向量机", "svm", "svm 在水稻中的应用"),
        ("李小明的论文", "李小明", "li xiaoming", "li xiaoming 的论文"),
        ("Li Xiaoming 水稻", "li xiaoming", "李小明", "李小明 水稻"),
        ("欧阳修年谱", "欧阳修", "欧阳永叔", "欧阳永叔 年谱"),
        ("covid-19疫情", "covid-19", "新冠肺炎", "新冠肺炎 疫情"),
        ("双碳目标", "双碳", "碳达峰碳中和", "碳达峰碳中和 目标"),
        ("大语言模型 LLM", "llm", "大语言模型", "大语言模型 大语言模型"),
    ],
)
def test_a_word_is_replaced(query: str, word: str, other: str, said: str) -> None:
    ways = sayings(query, rules((word, other)), ANALYZER)
    assert [one.text for one in ways] == [query, said]
    assert ways[1].words == ANALYZER.query_words(said)


@pytest.mark.parametrize(
    ("query", "word", "why"),
    [
        ("中国文学史", "国文", "it lies across two words"),
        ("研究生教育", "研究", "it is a part of a word"),
        ("张三丰的太极拳", "张三", "it is a part of a name"),
        ("rainfall 预报", "ai", "it lies inside an English word"),
        ("神经网络", "网络", "it is a part of a word"),
        ("水稻", "小麦", "it is not there"),
    ],
)
def test_a_word_that_is_none_there_is_not_replaced(query: str, word: str, why: str) -> None:
    assert [one.text for one in sayings(query, rules((word, "某")), ANALYZER)] == [query], why


def test_the_longest_word_wins_and_words_are_replaced_together() -> None:
    both = rules(("卷积神经网络", "cnn"), ("神经网络", "nn"), ("支持向量机", "svm"))
    ways = [one.text for one in sayings("卷积神经网络与支持向量机", both, ANALYZER)]
    assert ways[0] == "卷积神经网络与支持向量机"
    assert sorted(ways[1:3]) == ["cnn 与支持向量机", "卷积神经网络与 svm"]
    assert ways[3:] == ["cnn 与 svm"]


def test_ways_are_bounded() -> None:
    many = rules(*((word, f"w{n}") for word in ("水稻", "小麦", "玉米") for n in range(9)))
    ways = sayings("水稻 小麦 玉米", many, ANALYZER)
    assert len(ways) == MOST_WAYS
    assert ways[0].text == "水稻 小麦 玉米"


@pytest.mark.parametrize(
    ("query", "stops", "words"),
    [
        ("水稻的研究", ("研究", "的"), ["水稻"]),
        ("研究生教育", ("研究",), ["研究生", "教育"]),
        ("研究", ("研究",), ["研究"]),
        ("the effect of rain", ("the", "of"), ["effect", "rain"]),
    ],
)
def test_stop_words_are_not_looked_up(query: str, stops: tuple[str, ...], words: list[str]) -> None:
    (way,) = sayings(query, rules(stop_words=stops), ANALYZER)
    assert way.words == words


def test_marked_terms_hold_the_synonyms_and_no_stop_words() -> None:
    both = rules(("cnn", "卷积神经网络"), stop_words=("的",))
    terms = marked_terms(sayings("CNN的应用", both, ANALYZER), both, ANALYZER)
    assert {"cnn", "卷积", "神经网络", "应用"} <= set(terms)
    assert "的" not in terms


@pytest.mark.parametrize(
    ("query", "stops", "marked"),
    [
        ("水稻的研究进展", ("研究进展", "的"), {"水稻"}),
        ("水稻研究", ("研究进展",), {"水稻", "研究"}),
        ("the state of the art of rice", ("state of the art",), {"the", "of", "rice"}),
        ("IL-6 水稻", ("il-6",), {"水稻"}),
        ("水稻与水稻病害", ("水稻病害",), {"水稻", "与"}),
        ("研究进展", ("研究进展",), {"研究进展", "研究", "进展"}),
    ],
)
def test_the_words_that_were_looked_up_are_marked(
    query: str, stops: tuple[str, ...], marked: set[str]
) -> None:
    given = rules(stop_words=stops)
    said = sayings(query, given, ANALYZER)
    assert set(marked_terms(said, given, ANALYZER)) == marked


def test_the_fitting_way_is_the_one_whose_words_the_best_document_holds() -> None:
    ways = sayings("cnn 水稻", rules(("cnn", "卷积神经网络")), ANALYZER)
    best = Found("a", 9.0, title="水稻的卷积神经网络识别")
    assert fitting(ways, best) == "卷积神经网络 水稻"
    broken = Found("a", 9.0, title="水稻的识别", text="卷积神\n经网络")
    assert fitting(ways, broken) == "卷积神经网络 水稻"


def test_pins_stand_first_in_their_order() -> None:
    fused = [Fused(Found(one, 0.5), 0.5, None, 0.5) for one in ("a", "b", "c")]
    ordered = pins_first(fused, [Found("x", 0.0), Found("c", 0.0)])
    assert [one.document.id for one in ordered] == ["x", "c", "a", "b"]
    assert [one.score for one in ordered] == [0.0, 0.5, 0.5, 0.5]


def test_all_that_a_search_finds_beside_its_pins_can_be_put_in_order() -> None:
    """A search of both legs at their most with a pin was refused once it was sorted."""
    dense, lexical = (
        [Found(f"{leg}{n}", 1.0) for n in range(MAX_CANDIDATES)] for leg in ("d", "l")
    )
    fused = fuse(dense, lexical, 2 * MAX_CANDIDATES, Fusion())
    every = pins_first(fused, [Found(f"p{n}", 0.0) for n in range(MAX_PINNED)])
    rows = [(one.document.id, one.document.version) for one in every]
    assert len(ArrangeRequest(index="p", rows=rows).rows) == 2 * MAX_CANDIDATES + MAX_PINNED


def test_hidden_ids_are_part_of_the_filter() -> None:
    assert unhidden("", []) == ""
    assert unhidden("(a == 1) or (b == 1)", ['x"y']) == '((a == 1) or (b == 1)) and id != "x\\"y"'
