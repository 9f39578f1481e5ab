"""How a body is cut: nothing is lost, places are right, and no input takes long."""

import time
from itertools import pairwise

import pytest

from services.common.text.passages import MAX_SECTION_CHARS, SIZE_BYTES, passages

REPORT = (
    "# 年报\n前言一句。\n## 第一章 方法\n" + "甲方案更稳。" * 60 + "\n" + "乙方案更快。" * 60 + "\f"
    "## 第二章 结果\n### 表格\n" + "沉降十二厘米。" * 40 + "\n\f\n结论在此。"
)


def covered(body: str, overlap: int = 0) -> None:
    spans = passages(body, overlap=overlap)
    assert spans[0].start == 0
    assert spans[-1].end == len(body)
    for one, following in pairwise(spans):
        assert one.start < following.start <= one.end < following.end
        assert overlap or following.start == one.end
    for one in spans:
        assert len(body[one.start : one.end].strip().encode()) <= SIZE_BYTES


@pytest.mark.parametrize("overlap", [0, 120])
@pytest.mark.parametrize(
    "body",
    [
        REPORT,
        "短。",
        "\n\n  短。\n\n",
        "无标点" * 700,
        "word " * 900,
        "a" * 5_000,
        "𠮷" * 700,
        "一句。\r\n二句。\r" * 90,
        "# 只有标题",
        "## 甲\n## 乙\n" * 50,
        "文" + " " * 3_000 + "末",
    ],
)
def test_every_character_is_in_a_passage_that_fits(body: str, overlap: int) -> None:
    covered(body, overlap)


def test_places_are_pages_and_sections() -> None:
    spans = passages(REPORT)
    texts = [REPORT[one.start : one.end] for one in spans]
    at = {text.strip()[:6]: one for text, one in zip(texts, spans, strict=True)}
    assert (at["# 年报\n前"].section, at["# 年报\n前"].page) == ("年报", 1)
    assert at["## 第一章"].section == "年报 › 第一章 方法"
    assert (at["## 第二章"].section, at["## 第二章"].page) == ("年报 › 第二章 结果 › 表格", 2)
    assert texts[-1].strip().endswith("结论在此。")
    assert passages("没有页码。")[0].page is None
    assert passages("没有标题。")[0].section == ""
    assert passages("#没有空格\n文。")[0].section == ""
    deep = passages("# " + "长" * 900 + "\n文。")
    assert max(len(one.section) for one in deep) == MAX_SECTION_CHARS


def test_a_passage_ends_with_a_sentence() -> None:
    body = "每句话都有十个字左右的长度。" * 100
    assert all(body[one.start : one.end].endswith("。") for one in passages(body))


def test_repetition_begins_with_a_sentence() -> None:
    body = "".join(f"第{number}句话讲路基的沉降。" for number in range(100))
    spans = passages(body, overlap=120)
    assert all(body[one.start] == "第" for one in spans)
    assert all(a.end > b.start for a, b in pairwise(spans))


def test_nothing_but_white_space_has_no_passage() -> None:
    assert passages(" \n\f\u3000") == []


@pytest.mark.parametrize(
    "body", ["a" * 500_000, "x\n" * 200_000, "# x\n" * 100_000, "\f " * 200_000 + "x"]
)
def test_no_body_takes_long(body: str) -> None:
    started = time.process_time()
    passages(body)
    assert time.process_time() - started < 5
