"""What of a hit is marked, and which passages are shown."""

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.common.text.normalise import normalise
from services.gateway.search.cascade.highlights import MAX_PASSAGES, PASSAGE_CHARS, Marker
from tests.analyzers import ANALYZER


def marked(query: str, title: str, text: str = "") -> dict[str, list[str]]:
    marker = Marker.of(ANALYZER.terms(query))
    assert marker is not None
    return marker.highlight(title, text)


def test_words_of_the_query_are_marked_and_neighbours_are_one_mark() -> None:
    highlights = marked("飞行器姿态控制", "小型飞行器的姿态控制方法")
    assert highlights == {"title": ["小型<em>飞行器</em>的<em>姿态控制</em>方法"]}


def test_function_words_are_not_marked() -> None:
    highlights = marked("语言与文化的差异", "语言的边界与文化", "和而不同的理论")
    assert highlights == {"title": ["<em>语言</em>的边界与<em>文化</em>"]}
    highlights = marked("the theory of games", "A theory of the game", "of the")
    assert highlights == {"title": ["A <em>theory</em> of the game"]}


def test_a_query_of_function_words_is_marked() -> None:
    assert marked("的", "中国的水") == {"title": ["中国<em>的</em>水"]}


def test_latin_words_are_marked_whole_and_in_any_case() -> None:
    highlights = marked("AI", "He said that ai and AI are available")
    assert highlights == {"title": ["He said that <em>ai</em> and <em>AI</em> are available"]}


@pytest.mark.parametrize(
    ("query", "title", "expected"),
    [
        ("微积分", "微積分教程", "<em>微積分</em>教程"),
        ("微積分", "微积分教程", "<em>微积分</em>教程"),
        ("微积分", "微 积 分", "<em>微 积 分</em>"),
        ("PM2.5", "大气PM2.5与PM10", "大气<em>PM2.5</em>与PM10"),
        ("PM 2.5", "大气PM2.5", "大气<em>PM2.5</em>"),
        ("CO2", "CO<sub>2</sub>排放与CO₂", "<em>CO<sub>2</sub></em>排放与<em>CO₂</em>"),
        ("co2", "ＣＯ２浓度", "<em>ＣＯ２</em>浓度"),
        ("13C", "<sup>13</sup>C标记", "<em><sup>13</sup>C</em>标记"),
        ("R&D", "企业R&amp;D投入", "企业<em>R&amp;D</em>投入"),
        ("冻土", "冻\u200b土与凍\u00ad土", "<em>冻\u200b土</em>与<em>凍\u00ad土</em>"),
        ("国有企业家", "国有企业家", "<em>国有企业家</em>"),
        ("7714", "GB/T 7714-2015标准", "GB/T <em>7714-2015</em>标准"),
        ("SO2", "CO2，SO2，NOx", "CO2，<em>SO2</em>，NOx"),
        ("1000", "共1,000个", "共<em>1,000</em>个"),
        ("C++", "C++程序设计与C程序", "<em>C++</em>程序设计与C程序"),
        ("café", "CAFÉ", "<em>CAFÉ</em>"),
        ("データ", "ﾃﾞｰﾀ分析", "<em>ﾃﾞｰﾀ</em>分析"),
        ("冻土", "<em>青藏</em>高原冻土", "青藏高原<em>冻土</em>"),
        ("冻土", "高原<em>冻土</em>退化", "高原<em>冻土</em>退化"),
        ("冻土退化", '高原冻<EM class="a">土退</EM>化', "高原<em>冻土退化</em>"),
    ],
)
def test_what_matches_in_normal_form_is_marked_as_it_is_stored(
    query: str, title: str, expected: str
) -> None:
    assert marked(query, title) == {"title": [expected]}


@pytest.mark.parametrize(
    ("query", "title"),
    [("PM2", "大气PM2.5"), ("3.1", "3.14"), ("AI", "said"), ("水稻", "小麦"), ("C++", "C程序")],
)
def test_part_of_a_word_is_no_match(query: str, title: str) -> None:
    assert marked(query, title) == {}


SPELLINGS = {
    "微积分": ["微积分", "微積分", "微\u200b积分", "微積\u00ad分"],
    "co2": ["CO2", "CO<sub>2</sub>", "CO₂", "ＣＯ２"],
    "pm2.5": ["PM2.5", "ＰＭ2.5", "PM₂.₅"],
    "r&d": ["R&D", "R&amp;D", "Ｒ＆Ｄ"],
    "covid-19": ["COVID-19", "Covid‐19", "COVID–19"],
    "冻土": ["冻土", "凍土", "凍\u2060土"],
}
FILLER = ["，", "。", "〈甲〉", " 乙 ", "<p>丙</p>", "；丁&lt;", "「戊」" * 40, "\u00ad己。"]
WORDS = st.sampled_from([spelling for each in SPELLINGS.values() for spelling in each])
MIX = st.lists(st.tuples(st.sampled_from(FILLER), WORDS), max_size=12)
QUERY = " ".join(SPELLINGS)


def without_marks(text: str) -> str:
    return text.replace("<em>", "").replace("</em>", "")


@settings(deadline=None)
@given(MIX, st.sampled_from(FILLER))
def test_marks_change_nothing_and_halve_nothing(mix: list[tuple[str, str]], end: str) -> None:
    """Each word of the mix is wholly inside a mark, and without marks the text is the raw one."""
    raw = "".join(filler + word for filler, word in mix) + end
    highlights = marked(QUERY, raw, raw)
    if not mix:
        assert highlights == {}
        return
    (title,) = highlights["title"]
    assert without_marks(title) == raw
    marks = re.findall("<em>(.*?)</em>", title)
    assert marks == [word for _, word in mix]
    for passage in highlights["text"]:
        assert without_marks(passage).strip("…") in raw
        words = [ANALYZER.fold(mark) for mark in re.findall("<em>(.*?)</em>", passage)]
        assert set(words) <= set(SPELLINGS)
    assert len(highlights["text"]) <= MAX_PASSAGES


@settings(deadline=None)
@given(st.text(max_size=200), st.text(min_size=1, max_size=20))
def test_no_text_and_no_query_are_too_strange(raw: str, query: str) -> None:
    marker = Marker.of(ANALYZER.terms(query))
    if marker is None or "<em>" in raw or "</em>" in raw:
        return
    for title in marker.highlight(raw, raw).get("title", []):
        assert without_marks(title) == raw
        assert "<em></em>" not in title


@settings(deadline=None)
@given(st.text(alphabet="水稻冻土abAB12.-&;<>/ \u200b２", min_size=1, max_size=30))
def test_a_text_that_is_its_own_query_is_marked(raw: str) -> None:
    marker = Marker.of(ANALYZER.terms(raw))
    if marker is not None and normalise(raw).strip():
        (title,) = marker.highlight(raw, "")["title"]
        assert without_marks(title) == raw


def test_the_passages_with_the_most_matches_come_in_reading_order() -> None:
    gap = "无关" * PASSAGE_CHARS
    text = gap.join(["水稻", "水稻水稻甲", "水稻水稻乙", "水稻水稻丙", ""])
    passages = marked("水稻", "", text)["text"]
    assert len(passages) == MAX_PASSAGES
    assert [next(name for name in "甲乙丙" if name in passage) for passage in passages] == [
        "甲",
        "乙",
        "丙",
    ]
    assert all(passage.startswith("…") and passage.endswith("…") for passage in passages)


def test_passages_that_touch_are_one() -> None:
    text = "水稻" + "甲" * PASSAGE_CHARS + "水稻" + "乙" * 20
    assert marked("水稻", "", text)["text"] == [text.replace("水稻", "<em>水稻</em>")]


def test_a_word_at_the_border_of_a_passage_stays_whole() -> None:
    text = "水稻" + "甲" * (PASSAGE_CHARS - 3) + "水稻" + "乙" * PASSAGE_CHARS
    passages = marked("水稻", "", text)["text"]
    assert passages == ["<em>水稻</em>" + "甲" * (PASSAGE_CHARS - 3) + "<em>水稻</em>…"]


@pytest.mark.parametrize(
    ("text", "passage"),
    [
        ("<jats:p>水稻病害</jats:p>", "<em>水稻</em>病害"),
        ("<p>水稻<b>病害</b></p>\n", "<em>水稻</em><b>病害"),
        ("\u200b 水稻。 ", "<em>水稻</em>。"),
        ("<em>水稻</em>", "<em>水稻</em>"),
        ("<p>" + "甲" * 200 + "水稻</p>", "…" + "甲" * 30 + "<em>水稻</em>"),
        ("<p>水稻" + "甲" * 200 + "</p>", "<em>水稻</em>" + "甲" * 118 + "…"),
    ],
)
def test_an_ellipsis_stands_for_words_and_not_for_tags(text: str, passage: str) -> None:
    assert marked("水稻", "", text)["text"] == [passage]


def test_an_ellipsis_stands_for_what_was_not_searched() -> None:
    marker = Marker.of(ANALYZER.terms("水稻"))
    assert marker is not None
    assert marker.highlight("", "水稻病害", 2)["text"] == ["<em>水稻</em>…"]
    assert marker.highlight("", "水稻病害", 4)["text"] == ["<em>水稻</em>病害"]


_MARKS = st.sampled_from(["<", "em", ">", "</", "<em>", "</em>", "<EM x>", " ", "x", "/", "稻"])


@settings(deadline=None)
@given(st.lists(_MARKS, max_size=20).map("".join))
@example("<<em>em>")
@example("</<em x></em>em>")
@example("<<<EM/>em><em>em x>")
def test_every_mark_is_a_match(raw: str) -> None:
    """A text's own marks are left out, also those that others leave: <<em>em>."""
    marks = marked("水稻", f"{raw}水稻{raw}", f"{raw}水稻{raw}")
    assert set(marks) == {"title", "text"}
    for mark in marks.values():
        assert len(re.findall(r"<em>|<em\s[^<>]*>", mark[0], re.IGNORECASE)) == 1
        assert mark[0].count("<em>水稻</em>") == 1
        assert len(re.findall(r"</em>|</em\s[^<>]*>", mark[0], re.IGNORECASE)) == 1


def test_long_rows_of_tags_take_no_time() -> None:
    text = "<q>" * 5_000 + "甲" + "<b>水</b>稻乙" * 30
    started = time.process_time()
    (passage,) = marked("水稻", "", text)["text"]
    assert passage.endswith("甲" + "<em><b>水</b>稻</em>乙" * 30)
    assert time.process_time() - started < 2


def test_nothing_to_mark() -> None:
    assert Marker.of(ANALYZER.terms("，。！")) is None
    assert marked("水稻", "小麦", "玉米") == {}
