"""What finds what by words: pairs of a query and a document that must and must not match.

A query matches when a document shares one of its words; `finds` also says that it is not found by
a mere part of the query.
"""

import random
import tracemalloc

import pytest

from services.common.text import WordAnalyzer
from tests.analyzers import ANALYZER


@pytest.fixture(scope="module")
def analyzer() -> WordAnalyzer:
    return ANALYZER


_MATCH = [
    ("3.14", "圆周率约为3.14"),
    ("3.14", "π≈3.14。"),
    ("7714", "GB/T 7714-2015"),
    ("GB/T 7714", "《GB/T 7714-2015 信息与文献》"),
    ("GB/T7714", "GB/T 7714-2015"),
    ("GB 7714", "GB7714-2015标准"),
    ("ISO 9001", "通过ISO9001认证"),
    ("ISO9001", "ISO-9001质量体系"),
    ("2015", "2015-2020年数据"),
    ("2020", "2015—2020年数据"),
    ("2015", "2015～2020年"),
    ("2015-2020", "2015至2020年"),
    ("3.5mm", "直径3.5 mm"),
    ("3.5 mm", "直径3.5mm"),
    ("10cm", "深10 cm"),
    ("10 cm", "深10cm"),
    ("10cm", "１０ｃｍ"),
    ("5%", "5%~10%"),
    ("10%", "5%～10%"),
    ("5%", "5~10%之间"),
    ("5％", "占5%"),
    ("0.5", "误差±0.5"),
    ("±0.5", "误差±0.5℃"),
    ("-0.5", "降至 −0.5℃"),
    ("0.05", "P<.05"),
    ("5℃", "温度5 °C"),
    ("1000", "1,000个样本"),
    ("12345.6", "12,345.6元"),
    ("10^-3", "10⁻³"),
    ("10^-3", "10<sup>-3</sup> mol"),
    ("10^-3", "1.5×10-3"),
    ("10³", "10<sup>3</sup>"),
    ("v2.8.1", "升级到v2.8.1"),
    ("2.8.1", "升级到V2.8.1版"),
    ("Python 3.11", "基于Python3.11实现"),
    ("PM2.5", "大气PM₂.₅浓度"),
    ("PM2.5", "PM2.5与PM10"),
    ("PM 2.5", "PM2.5浓度"),
    ("CO2", "CO₂排放"),
    ("CO₂", "CO<sub>2</sub>排放"),
    ("二氧化碳CO2", "ＣＯ２"),
    ("Fe3O4", "Fe₃O₄纳米颗粒"),
    ("Ca2+", "Ca²⁺浓度"),
    ("α", "α受体"),
    ("β-胡萝卜素", "胡萝卜素"),
    ("α/β", "受体α与β"),
    ("TGF-β1", "TGFβ1表达"),
    ("TGF-β", "TGF信号"),
    ("IL-6", "白介素IL-6水平"),
    ("IL6", "IL-6水平"),
    ("IL-6", "IL6水平"),
    ("IL 6", "白介素IL-6水平"),
    ("白介素IL 6 水平", "IL6"),
    ("B 12", "维生素B12缺乏"),
    ("COVID 19", "COVID19肺炎"),
    ("il‑6", "IL–6"),
    ("COVID-19", "新冠COVID19疫情"),
    ("COVID", "COVID-19疫情"),
    ("SARS-CoV-2", "SARS冠状病毒"),
    ("H1N1", "甲型H1N1流感"),
    ("5G", "5G网络"),
    ("维生素B12", "B12缺乏"),
    ("GPT-4", "GPT4模型"),
    ("C++", "C++程序设计"),
    ("C#", "C#语言"),
    (".NET", "基于.NET框架"),
    (".NET", "ASP.NET网站"),
    ("Node.js", "node.js服务"),
    ("node", "Node.js服务"),
    ("R&D", "R&amp;D投入"),
    ("km/h", "100km/h"),
    ("cm-1", "1600 cm⁻¹"),
    ("café", "cafe文化"),
    ("cafe", "Café文化"),
    ("Schrödinger", "Schrodinger方程"),
    ("self-attention", "self attention机制"),
    ("selfattention", "self-attention机制"),
    ("X-ray", "X ray衍射"),
    ("Alzheimer", "Alzheimer’s病"),
    ("微積分", "微积分学"),
    ("微积分", "微 积 分"),
    ("深度学习", "深\u200b度学\u00ad习"),
    ("BERT模型", "ＢＥＲＴ 模型"),
    ("国有企业", "国有企業改革"),
    ("企业", "国有企业改革"),
    ("𠮷", "𠮷野家"),
    ("𨭎", "𠮷𨭎"),
    ("2020-01-15", "2020-01-15发布"),
    ("1/2", "½"),
    ("儿", "儿童文学"),
    ("江", "长江流域"),
    ("中", "中国"),
    ("江、河", "长江"),
    ("привет", "Привет, мир"),
]

_NO_MATCH = [
    ("3.14", "第314号文件"),
    ("3.14", "314"),
    ("3.14", "3 月 14 日"),
    ("314", "3.14"),
    ("14", "3.14"),
    ("20152020", "2015-2020年"),
    ("77142015", "GB/T 7714-2015"),
    ("3.5mm", "35 kg"),
    ("35mm", "3.5mm"),
    ("5mm", "3.5mm"),
    ("5mm", "3.5 cm"),
    ("0.5", "0.05"),
    ("5%", "50%"),
    ("5.1", "5.10"),
    ("10^-3", "103"),
    ("10^3", "103"),
    ("10³", "103"),
    ("10^-3", "10^3"),
    ("1000", "1.000"),
    ("2.8.1", "2.8"),
    ("v2.8.1", "v2.81"),
    ("281", "v2.8.1"),
    ("PM2.5", "PM25"),
    ("PM10", "PM2.5"),
    ("25", "PM2.5"),
    ("IL-6", "IL-10"),
    ("IL 6", "IL-10"),
    ("IL 6", "IL-6.5"),
    ("IL 10", "IL-1"),
    ("IL 6-10", "IL-6"),
    ("IL 6%", "IL-6"),
    ("IL-6", "IL-1β"),
    ("6", "IL-6"),
    ("19", "COVID-19"),
    ("C++", "C语言"),
    ("C#", "C++程序"),
    ("C++", "C#程序"),
    ("F#", "C#"),
    (".NET", "internet"),
    ("α", "β受体"),
    ("B12", "B1"),
    ("B12", "12"),
    ("5G", "4G网络"),
    ("5G", "5"),
    ("H1N1", "H5N1"),
    ("CO2", "CO"),
    ("CO", "CO2"),
    ("SO2", "CO2"),
    ("1/2", "12"),
    ("±0.5", "±5"),
    ("江", "河流"),
    ("儿", "兒子"[1:]),
    ("江西", "长江"),
    ("中国", "中间"),
    ("𠮷", "吉野家"),
    ("😀", "😀😃"),
    ("，。", "，。"),
]


def matches(analyzer: WordAnalyzer, query: str, document: str) -> bool:
    return bool(set(analyzer.query_words(query)) & set(analyzer.document_words(document)))


@pytest.mark.parametrize(("query", "document"), _MATCH)
def test_it_finds(analyzer: WordAnalyzer, query: str, document: str) -> None:
    assert matches(analyzer, query, document), (
        analyzer.query_words(query),
        analyzer.document_words(document),
    )


@pytest.mark.parametrize(("query", "document"), _NO_MATCH)
def test_it_does_not_find(analyzer: WordAnalyzer, query: str, document: str) -> None:
    assert not matches(analyzer, query, document), (
        analyzer.query_words(query),
        analyzer.document_words(document),
    )


def test_both_forms_of_a_query_ask_for_the_same(analyzer: WordAnalyzer) -> None:
    for one, other in [("漢語語法研究", "汉语语法研究"), ("ＰＭ２．５", "pm2.5"), ("CO₂", "co2")]:
        assert analyzer.query_words(one) == analyzer.query_words(other)


def test_what_holds_no_letter_or_digit_asks_for_nothing(analyzer: WordAnalyzer) -> None:
    for query in ("😀🎉", "👨‍👩‍👧", "？！", "\u200b", "——", "🇨🇳"):
        assert analyzer.query_words(query) == []


def test_terms_are_what_a_reader_sees(analyzer: WordAnalyzer) -> None:
    assert {"il6", "il-6"} <= set(analyzer.terms("IL-6"))
    assert "pm2.5" in analyzer.terms("PM2.5污染")


def test_words_of_letters_and_chinese_characters_stay_whole_where_a_user_names_them() -> None:
    named = WordAnalyzer(["c++语言", "PM2.5浓度"])
    assert "c++语言" in named.words("学习C++语言")
    assert "pm2.5浓度" not in ANALYZER.words("PM2.5浓度")


def test_long_expressions_are_not_kept_in_memory() -> None:
    """Sequences of genes and pictures as text have no spaces; each is seen once."""
    chance = random.Random(1)

    def text() -> str:
        return "序列 " + "/".join("".join(chance.choices("acgt0123", k=60)) for _ in range(500))

    ANALYZER.document_words(text())
    tracemalloc.start()
    try:
        for _ in range(20):
            ANALYZER.document_words(text())
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 300_000
