"""The part of a long text that a ranker reads beside a query."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.model_dir.manifest import Templates, read_manifest
from services.common.text.excerpts import excerpt, terms
from services.common.wire.rank import RankCandidate

ROOT = Path(__file__).parents[2]
_OTHER = "水文站的日均径流逐年减少。" * 20
_ANSWER = "该算法由张三提出。"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("谁提出的", {"谁提", "提出", "出的"}),
        ("BERT 与 GPT-4 的差别", {"bert", "与", "gpt", "4", "的差", "差别"}),
        ("法", {"法"}),
        ("!?", set()),
    ],
)
def test_terms(query: str, expected: set[str]) -> None:
    assert terms(query) == expected


@pytest.mark.parametrize(
    ("text", "query"),
    [
        (_OTHER + _ANSWER + _OTHER, "算法是谁提出的"),
        (_OTHER + _ANSWER, "算法是谁提出的"),
        (_ANSWER + _OTHER, "算法是谁提出的"),
        (_OTHER + "We use BERT here. " + _OTHER, "what does bert do"),
        (_OTHER + "该算法简单。" + _OTHER + _ANSWER + _OTHER, "算法是谁提出的"),
        ("径" * 900 + _ANSWER, "算法是谁提出的"),
    ],
    ids=["middle", "end", "beginning", "english", "another with fewer", "no sentences"],
)
def test_the_part_with_the_words_is_read(text: str, query: str) -> None:
    read = excerpt(text, terms(query), 300).encode()[:300].decode(errors="ignore").casefold()
    wanted = [term for term in terms(query) if term in text.casefold()]
    assert wanted
    assert all(term in read for term in wanted)


def in_lines(text: str, length: int) -> str:
    """A text in lines of so many characters."""
    return "\n".join(text[start : start + length] for start in range(0, len(text), length))


@pytest.mark.parametrize("length", [1, 2, 3, 7, 34, 119, 120, 121])
@pytest.mark.parametrize("shift", range(3))
def test_the_words_are_found_wherever_lines_end(length: int, shift: int) -> None:
    text = in_lines("站" * shift + _OTHER * 2 + _ANSWER + _OTHER * 2, length)
    read = excerpt(text, terms("算法是谁提出的"), 300).encode()[:300].decode(errors="ignore")
    assert _ANSWER in read.replace("\n", "")


def test_a_latin_word_does_not_continue_in_the_next_line() -> None:
    text = _OTHER + "\na\ni\n" + _OTHER
    assert excerpt(text, terms("ai"), 300) == text


def test_a_text_of_very_short_lines_costs_no_more_than_another() -> None:
    text = in_lines("水文站的日均径流逐年减少" * 3_400, 1)
    started = time.process_time()
    assert excerpt(text, terms("水 文 站 的 日 均 径 流"), 40_000) == text
    assert time.process_time() - started < 1


def test_what_surrounds_the_words_is_read_too() -> None:
    part = excerpt(_OTHER + _ANSWER + _OTHER, terms("算法是谁提出的"), 300)
    before = part.index(_ANSWER)
    assert before == pytest.approx((100 - len(_ANSWER)) / 2, abs=13)


@pytest.mark.parametrize("query", ["graph neural network", "水文站的算法和径流在逐年减少吗", ""])
def test_the_beginning_is_read_unless_a_part_has_many_more_of_the_words(query: str) -> None:
    text = _OTHER + _ANSWER
    assert excerpt(text, terms(query), 300) == text


_SENTENCES = st.lists(
    st.text("水文站算法张三ab 1。；\n", min_size=1, max_size=60), min_size=20, max_size=60
).map("".join)


@given(_SENTENCES, st.text("水文站算法张三ab", max_size=12), st.integers(120, 400))
def test_it_is_an_end_of_the_text_that_fills_what_is_read(text: str, query: str, size: int) -> None:
    part = excerpt(text, terms(query), size)
    assert text.endswith(part)
    assert len(part.encode()) >= min(len(text.encode()), size) - 4 * 121


def test_the_templates_words_are_not_the_querys() -> None:
    manifest = read_manifest(ROOT / "models" / "literature-ranker")
    instructed = manifest.model_copy(
        update={"templates": Templates(query="query passage: {query}")}
    )
    text = _OTHER * 3 + "A query, a passage." + _OTHER
    long = RankCandidate(id="1", title="", text=text, score=0)
    assert instructed.texts_beside("水文站", [long]) == [
        instructed.document_text(long.title, long.text)
    ]


def test_a_query_that_leaves_no_room_changes_nothing() -> None:
    text = _OTHER + _ANSWER
    assert excerpt(text, terms("算法是谁提出的"), -5000) == text


def test_a_short_text_is_whole_whatever_the_words() -> None:
    assert excerpt("海洋。" + _ANSWER, terms("张三"), 300) == "海洋。" + _ANSWER


def test_a_ranker_reads_title_and_part() -> None:
    """In the normal form of both."""
    ranker_manifest = read_manifest(ROOT / "models" / "literature-ranker")
    long = RankCandidate(
        id="1", title="綜述", text=_OTHER * 3 + "該算法由張三提出。" + _OTHER, score=0
    )
    short = RankCandidate(id="2", title="", text="短文", score=0)
    parts = ranker_manifest.texts_beside("算法是誰提出的", [long, short])
    assert parts[0].startswith("综述\n水文站")
    assert "该算法由张三提出。" in parts[0][:180]
    assert parts[1] == "短文"
    whole = ranker_manifest.document_text(long.title, long.text)
    assert "该算法由张三提出。" not in whole[:180]
