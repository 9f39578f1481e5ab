"""Word analysis: what queries and documents share."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.text import WordAnalyzer, index_text


@pytest.fixture(scope="module")
def analyzer() -> WordAnalyzer:
    return WordAnalyzer()


def test_compounds_come_with_their_parts(analyzer: WordAnalyzer) -> None:
    assert analyzer.words("国有企业创新") == ["国有", "企业", "国有企业", "创新"]


def test_traditional_full_width_and_case_are_folded(analyzer: WordAnalyzer) -> None:
    assert analyzer.words("漢語自然語言處理") == analyzer.words("汉语自然语言处理")
    assert analyzer.words("ＢＥＲＴ模型") == analyzer.words("bert模型")


def test_punctuation_is_dropped_and_joined_names_stay_one_word(analyzer: WordAnalyzer) -> None:
    assert analyzer.words("，。！ 《》-_") == []
    assert analyzer.words("COVID-19") == ["covid", "covid19"]
    assert analyzer.words("snake_case") == ["snake", "case", "snakecase"]


def test_user_words_stay_whole(analyzer: WordAnalyzer) -> None:
    assert "寻文系统" not in analyzer.words("用寻文系统检索")
    assert "寻文系统" in WordAnalyzer(["尋文系統"]).words("用寻文系统检索")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
@settings(deadline=None)
def test_each_word_is_one_run_of_letters_and_digits(analyzer: WordAnalyzer, text: str) -> None:
    for word in analyzer.words(text):
        assert word.isalnum()
        assert word == word.lower()


def test_index_text_is_cut_between_words() -> None:
    assert index_text(["国有", "企业"]) == "国有 企业"
    assert index_text(["国有", "企业", "创新"], limit=13) == "国有 企业"
    assert index_text(["国有", "企业", "创新"], limit=15) == "国有 企业"
    assert index_text(["国有企业"], limit=5) == ""
    assert len(index_text(["创新"] * 40_000).encode()) <= 65_535
