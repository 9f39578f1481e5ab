"""References as GB/T 7714-2015 has them: by the examples' shapes of the standard."""

from typing import Any

import pytest

from services.common.citations.forms import CitationForm
from services.common.documents import Content


@pytest.mark.parametrize(
    ("title", "fields", "written"),
    [
        (
            "冻土区路基的变形",
            {
                "type": "article", "authors": ["张三", "李四", "王五", "赵六"], "year": 2019,
                "journal": "中国科学", "volume": "49", "issue": "3", "pages": "12-20",
                "doi": "10.1360/n1",
            },
            "张三, 李四, 王五, 等. 冻土区路基的变形[J]. 中国科学, 2019, 49(3): 12-20."
            " DOI:10.1360/n1.",
        ),
        (
            "Dense retrieval",
            {
                "authors": ["Smith, John A.", "María García"], "journal": "Nature", "year": 2020,
                "volume": "5",
            },
            "SMITH J A, GARCÍA M. Dense retrieval[J]. Nature, 2020, 5.",
        ),
        (
            "程序设计",
            {
                "type": "book", "authors": ["张三"], "edition": "2版", "place": "北京",
                "publisher": "高等教育出版社", "year": 2004, "pages": "5",
            },
            "张三. 程序设计[M]. 2版. 北京: 高等教育出版社, 2004: 5.",
        ),
        (
            "路基",
            {
                "type": "conference", "authors": ["张三"], "journal": "全国会议论文集",
                "editors": ["孙七"], "place": "北京", "publisher": "科学出版社", "year": 2010,
                "pages": "1-9",
            },
            "张三. 路基[C]//孙七. 全国会议论文集. 北京: 科学出版社, 2010: 1-9.",
        ),
        (
            "路基研究",
            {
                "type": "thesis", "authors": ["张三"], "institution": "清华大学", "place": "北京",
                "year": 2018,
            },
            "张三. 路基研究[D]. 北京: 清华大学, 2018.",
        ),
        (
            "一种装置",
            {"type": "patent", "authors": ["张三"], "number": "CN1A", "date": "2019-05-12",
             "year": 2019},
            "张三. 一种装置: CN1A[P]. 2019-05-12.",
        ),
        (
            "消息",
            {"type": "newspaper", "journal": "人民日报", "date": "2019-05-12", "issue": "8"},
            "消息[N]. 人民日报, 2019-05-12(8).",
        ),
        (
            "网页",
            {"type": "webpage", "date": "2019-05-12", "url": "https://example.org/a"},
            "网页[EB/OL]. (2019-05-12). https://example.org/a.",
        ),
        ("无他", {}, "无他[Z]."),
    ],
)  # fmt: skip
def test_a_reference_as_text(title: str, fields: dict[str, Any], written: str) -> None:
    text = CitationForm.GBT7714.text([Content(id="1", title=title, fields=fields)] * 2)
    assert text == f"[1] {written}\n[2] {written}\n"
