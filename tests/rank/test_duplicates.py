"""Which documents are copies of each other, and which only look alike."""

import time
from itertools import cycle, islice

import pytest

from services.common.wire.rank import RankCandidate
from services.rank.duplicates import outline, select
from tests.analyzers import ANALYZER
from tests.rank.candidates import candidates

_TEXT = "".join(each["title"] for each in candidates(25))
"""Different words, as an abstract has them, and no numbers."""
_LONG = "国有企业引入非国有资本对创新绩效的影响及其作用机制与制度环境的调节效应研究"

_DIFFERENT = [
    ("C程序设计", "C++程序设计"),
    ("C++程序设计", "C#程序设计"),
    ("C程序设计", "C#程序设计"),
    ("2019年统计年鉴", "2020年统计年鉴"),
    ("Python 3.10 入门", "Python 3.11 入门"),
    ("GB/T 7714-2005", "GB/T 7714-2015"),
    ("高等数学（上）", "高等数学（下）"),
    ("高等数学上册", "高等数学下册"),
    ("红楼梦研究(一)", "红楼梦研究(二)"),
    ("红楼梦研究", "红楼梦研究(二)"),
    ("第一部分 总论", "第二部分 总论"),
    ("世界史 Ⅰ", "世界史 Ⅱ"),
    ("维生素A缺乏", "维生素B缺乏"),
    ("IL-6的表达", "IL-8的表达"),
    ("PM2.5的来源", "PM10的来源"),
    ("互联网+农业", "互联网农业"),
    ("Part 1: Methods", "Part 2: Methods"),
    ("T+0交易", "T+1交易"),
    ("东部地区经济", "西部地区经济"),
    (f"东{_LONG}", f"西{_LONG}"),
    (_LONG, f"{_LONG}：2020年"),
    ("10³ 次试验", "103次试验"),
    ("😀", "😂"),
    ("？？？", "！！！"),
    ("→", "←"),
    ("कि", "की"),
    ("ใกล้", "ใกล่"),
    ("3.5 mm螺钉", "3.5cm螺钉"),
    ("3.5 mm螺钉", "3.5螺钉"),
    ("10 cm涂层", "20cm涂层"),
    ("5G网络", "5 G网络"),
    ("PM 2.5的来源", "PM10的来源"),
    ("PM 2.5的来源", "2.5的来源"),
]
_COPIES = [
    ("国企改革", "《国企改革》"),
    ("国企改革", "國企改革"),
    ("C++程序设计", "Ｃ＋＋程序设计"),
    ("PM2.5的来源", "PM₂.₅的来源"),
    ("深度学习综述", "深度 学习综述。"),
    ("Deep Learning", "deep learning"),
    ("高等数学（上）", "高等数学(上)"),
    ("😀", " 😀\ufe0f"),
    ("？？？", "???"),
    ("कि", "कि。"),
    ("3.5mm螺钉", "3.5 mm螺钉"),
    ("10-20cm的涂层", "10-20 cm的涂层"),
    ("1,000kg的载荷", "1,000 kg的载荷"),
    ("50mmol/L的溶液", "50 mmol/L的溶液"),
    ("5~10%的盐水", "5~10 %的盐水"),
    ("25°C下的反应", "25 ℃下的反应"),
    ("±12.5kHz偏移", "±12.5 kHz偏移"),
    ("PM2.5的来源", "PM 2.5的来源"),
    ("ISO9001标准", "ISO 9001标准"),
    ("Web2.0 in China", "Web 2.0 in China"),
]


def hits(left: RankCandidate, right: RankCandidate) -> int:
    outlines = [outline(each, ANALYZER) for each in (left, right)]
    return len(select([0.9, 0.8], outlines, top_k=2, diversity=0, duplicate=0.9))


def paper(title: str, text: str = "") -> RankCandidate:
    return RankCandidate(id=title, title=title, text=text, score=1.0)


@pytest.mark.parametrize("text", ["", _TEXT], ids=["title alone", "same text"])
@pytest.mark.parametrize(("one", "other"), _DIFFERENT)
def test_documents_that_differ_in_what_distinguishes_are_both_shown(
    one: str, other: str, text: str
) -> None:
    assert hits(paper(one, text), paper(other, text)) == 2


@pytest.mark.parametrize("text", ["", _TEXT], ids=["title alone", "same text"])
@pytest.mark.parametrize(("one", "other"), _COPIES)
def test_copies_are_shown_once(one: str, other: str, text: str) -> None:
    assert hits(paper(one, text), paper(other, text)) == 1


def test_a_subtitle_makes_no_other_document_of_the_same_text() -> None:
    assert hits(paper(_LONG, _TEXT), paper(f"{_LONG}——来自上市公司的证据", _TEXT)) == 1


def test_texts_that_differ_in_a_number_are_different() -> None:
    one, other = (f"{year}年的调查。{_TEXT}" for year in (2019, 2020))
    assert hits(paper("年度报告", one), paper("年度报告", other)) == 2


@pytest.mark.parametrize(("one", "other"), [("3.5mm", "3.5 mm"), ("ISO9001", "ISO 9001")])
def test_texts_that_write_a_number_with_and_without_a_space_are_copies(
    one: str, other: str
) -> None:
    texts = (f"{written}。{_TEXT}" for written in (one, other))
    assert hits(*(paper("年度报告", text) for text in texts)) == 1


def test_texts_that_differ_in_a_unit_are_different() -> None:
    one, other = (f"厚度为{written}。{_TEXT}" for written in ("10mm", "10cm"))
    assert hits(paper("年度报告", one), paper("年度报告", other)) == 2


def test_a_title_without_its_text_is_no_copy_of_both() -> None:
    assert hits(paper(_LONG), paper(_LONG, _TEXT)) == 2


@pytest.mark.parametrize("diversity", [0, 0.3])
@pytest.mark.parametrize("written", ["", " \n", "\u200b", "<b></b>"])
def test_documents_of_which_nothing_is_known_are_no_copies_of_each_other(
    written: str, diversity: float
) -> None:
    empty = [outline(paper(written, written), ANALYZER) for _ in range(3)]
    assert select([0.9, 0.8, 0.7], empty, top_k=3, diversity=diversity, duplicate=0.9) == [0, 1, 2]


@pytest.mark.parametrize("letters", ["哈", "ab", "1.", "the effects of rain on corn "])
def test_long_titles_are_compared_quickly(letters: str) -> None:
    long = "".join(islice(cycle(letters), 4_000))
    titles = [f"{long[:at]}{word}{long[at:]}" for at in (1_000, 2_000) for word in ("雨", "雪")]
    documents = [outline(paper(title, _TEXT), ANALYZER) for title in titles]
    started = time.process_time()
    chosen = select([0.9, 0.8, 0.7, 0.6], documents, top_k=4, diversity=0, duplicate=0.9)
    assert time.process_time() - started < 0.2
    assert chosen[:2] == [0, 1]


def test_a_word_in_the_place_of_another_is_found_within_long_titles() -> None:
    long = "".join(each["title"] for each in candidates(60))
    for at in (0, 500, len(long)):
        one, other = (f"{long[:at]}{word}{long[at:]}" for word in ("春天", "冬季"))
        assert hits(paper(one, _TEXT), paper(other, _TEXT)) == 2
        assert hits(paper(long, _TEXT), paper(other, _TEXT)) == 1
