"""References of every kind, many of them Chinese, made by a table so that none is forgotten."""

import random
from itertools import cycle
from typing import Any

from services.common.citations.reference import Kind
from services.common.documents import Content
from services.indexer.intake.citations.values import reference_id

COUNT = 50
_TITLES = [
    "基于深度学习的遥感图像分类",
    "冻土区路基的变形——以青藏铁路为例",
    "C++程序设计：第2版（100% 实例）",
    "水稻病害 & 虫害的识别_方法#1",
    "A survey of {dense} retrieval: 50% better?",
    "CO~2~ 与 10^-3 的关系 $n$ 'quoted' ``text'' -- end",
    "微積分之歷史",
    "Deep learning for <i>cis</i>-regulatory DNA",
    "\\alpha 与 C:\\path 的写法",
    "“引号”与《书名号》、顿号；分号",
]
_AUTHORS = [
    ["张三", "李四", "王五", "赵六"],
    ["Smith, John A.", "García, María"],
    ["欧阳修"],
    ["Science and Technology Bureau", "中国科学院"],
    ["O'Brien, Pat", "Müller, Jürgen", "李明"],
]
_KEYWORDS = [["冻土", "路基"], ["深度学习", "deep learning", "遥感"], ["病害"], []]


def _of_kind(kind: Kind, number: int) -> dict[str, Any]:
    """The fields that only references of some kinds have."""
    if kind is Kind.ARTICLE:
        fields = {"journal": "中国科学", "volume": str(number), "issue": "3", "issn": "1674-7216"}
    elif kind in (Kind.CHAPTER, Kind.CONFERENCE):
        fields = {"journal": "第十届全国会议论文集", "publisher": "科学出版社", "place": "北京"}
        fields["isbn"] = "978-7-03-000000-1"
    elif kind is Kind.BOOK:
        fields = {"publisher": "高等教育出版社", "place": "北京", "edition": "第2版"}
        fields["isbn"] = "9787040000001"
    elif kind is Kind.THESIS:
        fields = {"institution": "清华大学", "place": "北京"}
    elif kind in (Kind.PATENT, Kind.STANDARD, Kind.REPORT):
        fields = {"number": f"CN{number}A", "institution": "国家标准化管理委员会"}
    elif kind is Kind.NEWSPAPER:
        fields = {"journal": "人民日报", "date": "2019-05-12"}
    else:
        fields = {"url": f"https://example.org/a_{number}?x=1&y=%20{number}#f"}
    return fields


def references() -> list[Content]:
    """COUNT references, each kind several times, with and without DOI."""
    pick = random.Random(22)
    kinds = cycle(Kind)
    made = []
    for number in range(COUNT):
        kind = next(kinds)
        fields: dict[str, Any] = {"type": kind.value, "year": 1990 + number % 36}
        fields["authors"] = pick.choice(_AUTHORS)
        fields |= _of_kind(kind, number)
        if "date" in fields:
            fields["year"] = 2019
        if words := pick.choice(_KEYWORDS):
            fields["keywords"] = words
        if number % 3 == 0:
            fields["doi"] = f"10.1360/n{number}-2019-00{number}"
        if number % 4 == 0:
            fields["pages"] = pick.choice(["12-20", "e1234", "1-5, 9"])
        if number % 5 == 0:
            fields |= {"language": "zh", "note": "导出的 note", "editors": ["孙七"]}
        title = f"{_TITLES[number % len(_TITLES)]} {number}"
        text = (
            "目的：研究冻土。\n方法：观测了 100 个断面。\n结果：变形 5%~10%。" if number % 2 else ""
        )
        identity = reference_id("", fields.get("doi", ""), title, fields["year"])
        made.append(Content(id=identity, title=title, text=text, fields=fields))
    return made
