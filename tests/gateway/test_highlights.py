"""What of a hit is marked, and which passages are shown."""

import pytest

from services.common.text.analyzer import WordAnalyzer
from services.gateway.highlights import MAX_PASSAGES, PASSAGE_CHARS, highlight, term_pattern


@pytest.fixture(scope="module")
def analyzer() -> WordAnalyzer:
    return WordAnalyzer()


def marked(analyzer: WordAnalyzer, query: str, title: str, text: str = "") -> dict[str, list[str]]:
    pattern = term_pattern(analyzer.words(query))
    assert pattern is not None
    return highlight(pattern, title, text)


def test_words_of_the_query_are_marked_and_neighbours_are_one_mark(analyzer: WordAnalyzer) -> None:
    found = marked(analyzer, "飞行器姿态控制", "小型飞行器的姿态控制方法")
    assert found == {"title": ["小型<em>飞行器</em>的<em>姿态控制</em>方法"]}


def test_function_words_are_not_marked(analyzer: WordAnalyzer) -> None:
    found = marked(analyzer, "语言与文化的差异", "语言的边界与文化", "和而不同的理论")
    assert found == {"title": ["<em>语言</em>的边界与<em>文化</em>"]}
    found = marked(analyzer, "the theory of games", "A theory of the game", "of the")
    assert found == {"title": ["A <em>theory</em> of the game"]}


def test_a_query_of_function_words_is_marked(analyzer: WordAnalyzer) -> None:
    assert marked(analyzer, "的", "中国的水") == {"title": ["中国<em>的</em>水"]}


def test_latin_words_are_marked_whole_and_in_any_case(analyzer: WordAnalyzer) -> None:
    found = marked(analyzer, "AI", "He said that ai and AI-2 are available")
    assert found == {"title": ["He said that <em>ai</em> and <em>AI</em>-2 are available"]}


def test_the_passages_with_the_most_matches_come_in_reading_order(analyzer: WordAnalyzer) -> None:
    gap = "无关" * PASSAGE_CHARS
    text = gap.join(["水稻", "水稻水稻甲", "水稻水稻乙", "水稻水稻丙", ""])
    passages = marked(analyzer, "水稻", "", text)["text"]
    assert len(passages) == MAX_PASSAGES
    assert [next(name for name in "甲乙丙" if name in passage) for passage in passages] == [
        "甲",
        "乙",
        "丙",
    ]
    assert all(passage.startswith("…") and passage.endswith("…") for passage in passages)


def test_nothing_to_mark(analyzer: WordAnalyzer) -> None:
    assert term_pattern(analyzer.words("，。！")) is None
    assert marked(analyzer, "水稻", "小麦", "玉米") == {}
