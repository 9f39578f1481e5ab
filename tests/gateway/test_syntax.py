"""Queries with operators: what each means, and ordinary queries that keep their meaning."""

from typing import Any

import pytest

from services.common.errors import InvalidRequest
from services.common.filters import compile_filter
from services.common.wire.boosts import Boost
from services.gateway.search.query.syntax import ParsedQuery, understood

FIELDS = ("authors", "year", "journal", "keywords", "discipline", "doi", "date")


def raised(name: str, **factors: float) -> Boost:
    return Boost(field=name, values={value: float(by) for value, by in factors.items()})


def years(**bounds: int) -> dict[str, Any]:
    """The filter of `year` for numbers, and for the same years as texts and dates."""
    texts = {
        "gte": lambda year: {"gte": str(year)},
        "gt": lambda year: {"gte": str(year + 1)},
        "lte": lambda year: {"lt": str(year + 1)},
        "lt": lambda year: {"lt": str(year)},
    }
    dates: dict[str, str] = {}
    for sign, year in bounds.items():
        dates |= texts[sign](year)
    return {"or": [{"year": bounds}, {"year": dates}]}


DATES_OF_2016 = {
    "or": [{"date": {"gte": 2016, "lte": 2016}}, {"date": {"gte": "2016", "lt": "2017"}}]
}
EITHER = {"any": ["张 三", "李 四"]}
OPERATORS: list[tuple[str, ParsedQuery]] = [
    ("author:张三", ParsedQuery("", [{"authors": "张三"}])),
    ("authors:张三", ParsedQuery("", [{"authors": "张三"}])),
    ("作者:欧阳修远", ParsedQuery("", [{"authors": "欧阳修远"}])),
    ("author：张三", ParsedQuery("", [{"authors": "张三"}])),
    ("作者:张三|李四", ParsedQuery("", [{"authors": {"any": ["张三", "李四"]}}])),
    ("author:张三 author:李四", ParsedQuery("", [{"authors": "张三"}, {"authors": "李四"}])),
    ('author:"Zhang San"', ParsedQuery("", [{"authors": "Zhang San"}])),
    ("author:“张 三”", ParsedQuery("", [{"authors": "张 三"}])),
    ('journal:"中国科学"', ParsedQuery("", [{"journal": "中国科学"}])),
    ('author:"张三"|"李四"', ParsedQuery("", [{"authors": {"any": ["张三", "李四"]}}])),
    ('author:"Zhang San"|李四', ParsedQuery("", [{"authors": {"any": ["Zhang San", "李四"]}}])),
    ("author:李四|“张 三” 稻", ParsedQuery("稻", [{"authors": {"any": ["李四", "张 三"]}}])),
    ("author:张三｜李四", ParsedQuery("", [{"authors": {"any": ["张三", "李四"]}}])),
    ('-author:"张 三"｜"李 四" 稻', ParsedQuery("稻", [{"not": {"authors": EITHER}}])),
    ('year:"2015"', ParsedQuery("", [{"year": {"any": [2015, "2015"]}}])),
    ("期刊:物理学报", ParsedQuery("", [{"journal": "物理学报"}])),
    ("journal:物理学报 超导", ParsedQuery("超导", [{"journal": "物理学报"}])),
    ("学科:数学", ParsedQuery("", [{"discipline": "数学"}])),
    ("关键词:水稻", ParsedQuery("", [{"keywords": "水稻"}])),
    ("關鍵詞:水稻", ParsedQuery("", [{"keywords": "水稻"}])),
    ("ｙｅａｒ:2015..", ParsedQuery("", [years(gte=2015)])),
    ("keyword:水稻", ParsedQuery("", [{"keywords": "水稻"}])),
    ("year:2015", ParsedQuery("", [{"year": {"any": [2015, "2015"]}}])),
    ("Year:2015", ParsedQuery("", [{"year": {"any": [2015, "2015"]}}])),
    ("年份:2015..2020", ParsedQuery("", [years(gte=2015, lte=2020)])),
    ("year:2015..", ParsedQuery("", [years(gte=2015)])),
    ("year:..2020", ParsedQuery("", [years(lte=2020)])),
    ("year:>=2015", ParsedQuery("", [years(gte=2015)])),
    ("year:<2000 钢结构", ParsedQuery("钢结构", [years(lt=2000)])),
    ("year：≥２０１５", ParsedQuery("", [years(gte=2015)])),
    ("year:≤2015", ParsedQuery("", [years(lte=2015)])),
    ("year:＞2015", ParsedQuery("", [years(gt=2015)])),
    ("year：＜＝2015", ParsedQuery("", [years(lte=2015)])),
    ("date:2015..2016-01", ParsedQuery("", [{"date": {"gte": "2015", "lte": "2016-01"}}])),
    ("date:2015-03..2016", ParsedQuery("", [{"date": {"gte": "2015-03", "lt": "2017"}}])),
    ("date:2016-03..2016", ParsedQuery("", [{"date": {"gte": "2016-03", "lt": "2017"}}])),
    ("date:2016..2016", ParsedQuery("", [DATES_OF_2016])),
    ("doi:5..20", ParsedQuery("", [{"doi": {"gte": 5, "lte": 20}}])),
    ("doi:>1.5", ParsedQuery("", [{"doi": {"gt": 1.5}}])),
    ("doi:1500..20000", ParsedQuery("", [{"doi": {"gte": 1500, "lte": 20000}}])),
    ("date:2015-03..2016-01", ParsedQuery("", [{"date": {"gte": "2015-03", "lte": "2016-01"}}])),
    ("-journal:物理学报 超导", ParsedQuery("超导", [{"not": {"journal": "物理学报"}}])),
    ("-year:..2000 桥梁", ParsedQuery("桥梁", [{"not": years(lte=2000)}])),
    ('"卷积神经网络"', ParsedQuery("卷积神经网络", [], ["卷积神经网络"])),
    ("“卷积神经网络” 图像", ParsedQuery("卷积神经网络 图像", [], ["卷积神经网络"])),
    ('＂卷积＂　遥感', ParsedQuery("卷积 遥感", [], ["卷积"])),
    ("深度学习 -综述", ParsedQuery("深度学习", [], [], ["综述"])),
    ("深度学习　-综述", ParsedQuery("深度学习", [], [], ["综述"])),
    ("深度学习　－综述", ParsedQuery("深度学习", [], [], ["综述"])),
    ("深度学习 －“文献 综述”", ParsedQuery("深度学习", [], [], ["文献 综述"])),
    ("－journal:物理学报 超导", ParsedQuery("超导", [{"not": {"journal": "物理学报"}}])),
    ('深度学习 -"文献 综述"', ParsedQuery("深度学习", [], [], ["文献 综述"])),
    ("时间序列 -LSTM", ParsedQuery("时间序列", [], [], ["LSTM"])),
    (
        'author:张三 year:2015..2020 -综述 "卷积神经网络" journal:"中国科学"',
        ParsedQuery(
            "卷积神经网络",
            [{"authors": "张三"}, years(gte=2015, lte=2020), {"journal": "中国科学"}],
            ["卷积神经网络"],
            ["综述"],
        ),
    ),
    ("doi:10.1000/182", ParsedQuery("", [{"doi": "10.1000/182"}])),
    ("超导 journal:物理学报^3", ParsedQuery("超导", boosts=[raised("journal", 物理学报=3)])),
    ("超导 期刊:物理学报^0.5", ParsedQuery("超导", boosts=[raised("journal", 物理学报=0.5)])),
    ("author:张三|李四^2 稻", ParsedQuery("稻", boosts=[raised("authors", 张三=2, 李四=2)])),
    ('journal:"中 科"^1.5 稻', ParsedQuery("稻", boosts=[raised("journal", **{"中 科": 1.5})])),
    ("journal:“中国 科学”^2 稻", ParsedQuery("稻", boosts=[raised("journal", **{"中国 科学": 2})])),
    (
        'journal:"中 科"|"物 理"|学报^2 稻',
        ParsedQuery("稻", boosts=[raised("journal", **{"中 科": 2, "物 理": 2, "学报": 2})]),
    ),
    ("year:2015^2 稻", ParsedQuery("稻", boosts=[raised("year", **{"2015": 2})])),
]  # fmt: skip

ORDINARY = [
    "GB/T 7714-2015", "3:1", "配比 3:1 的混凝土", "CO2-还原", "CO2-还原 催化剂",
    "C:N 比对土壤的影响", "Fe:Al=3:1 合金", "深度学习：原理与应用", "期刊：现状与展望",
    "作者：身份的消解", "年份：一个概念史", "Python:入门", "http://www.example.com/水稻",
    "IL-6 与 IL-10", "PM2.5", "-5℃ 混凝土", "-196℃ 液氮", "−20 ℃ 冷冻", "表面 -OH 基团",
    "羧基 -COOH 改性", "–综述–", "—", "--", "-", "a - b", "论“一带一路”的影响",
    '论"一带一路"的影响', "“双碳”目标下的能源转型", '"双碳"目标下的转型', "“互联网+”时代的教育",
    '5" 软盘', "6'3\" 身高", "《红楼梦》:一种读法", "中国-东盟 自由贸易区", "产学研-用",
    "X-ray 衍射", "T-S 模糊控制", "α-Fe2O3", "1:10000 地形图", "2015-2020年", "12:30 的降水",
    "水:乙醇=1:2", "时间：2015..2020", "C++", "C# 语言", "v2.8.1", "10^-3", "5%~10%", "A|B 测试",
    "Q345-B 钢", "S^2 分布", "年-月-日", "问：什么是熵？", "为什么天空是蓝色的?", "pH:7.4 缓冲液",
    "H2O:CH3OH", "DNA:RNA 杂交", "zh-CN", "year: 2015", "journal : 物理", "author", ":", "::",
    "：", "作者 张三", "人工智能(AI)-医疗", "新冠 COVID-19", "钙-钛矿 电池", "R&D",
    "\\frac{1}{2}", 'author:""', "中国－东盟 自由贸易区", "作者｜编者",
]  # fmt: skip

REFUSED = [
    ('"深度学习', "close it"),
    ("“深度学习", "close it"),
    ('水稻 "深度学习 病害', "close it"),
    ('author:"张三', "close it"),
    ('水稻 -"综述', "close it"),
    ("水稻 journal:“物理学报^2", "close it"),
    ("yaer:2015", "did you mean `year`"),
    ("autor:张三", "did you mean `authors`"),
    ("jounal:物理学报", "did you mean `journal`"),
    ("citations:10..20", "its fields: authors, date"),
    ('publisher:"科学出版社"', "its fields: authors, date"),
    ("title:水稻", "looked for in title and text"),
    ("year:2020..2015", "year:2015..2020"),
    ("year:2015..今年", "both as numbers"),
    ("date:2016-03..2015", "the smaller end first"),
    ("date:2016-03..5", "both as dates"),
    ("-综述", "say what to search for"),
    ("year:2015 -综述", "say what to search for"),
    ("超导 journal:物理学报^", "such as `journal:中国科学^2`"),
    ('超导 journal:"物理 学报"^', "such as `journal:中国科学^2`"),
    ("超导 journal:物理学报^0", "a factor of 0.01 to 100"),
    ("超导 journal:物理学报^101", "a factor of 0.01 to 100"),
    ("超导 journal:物理学报^二", "such as `journal"),
    ("超导 -journal:物理学报^2", "below 1 to lower it"),
    ("超导 year:2015..2020^2", "write a value"),
    ("超导 journal:^2", "write a value"),
]


@pytest.mark.parametrize(("text", "meaning"), OPERATORS, ids=[text for text, _ in OPERATORS])
def test_an_operator_means_this(text: str, meaning: ParsedQuery) -> None:
    found = understood(text, FIELDS)
    assert members(found) == members(meaning)
    for condition in found.conditions:
        assert compile_filter(condition)


def members(found: ParsedQuery) -> list[Any]:
    return [found.query, *map(list, (found.conditions, found.phrases, found.exclude, found.boosts))]


@pytest.mark.parametrize("text", ORDINARY)
@pytest.mark.parametrize("fields", [FIELDS, None])
def test_an_ordinary_query_keeps_its_meaning(text: str, fields: tuple[str, ...] | None) -> None:
    assert members(understood(text, fields)) == [" ".join(text.split()), [], [], [], []]


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_what_cannot_be_meant_is_refused_with_what_to_write(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        understood(text, FIELDS)
    assert words in refused.value.detail


def test_common_fields_are_known_before_those_of_the_collection() -> None:
    assert understood("作者:张三", None).conditions == [{"authors": "张三"}]
    assert understood("yaer:2015", None).query == "yaer:2015"


def test_a_field_of_exactly_this_name_comes_first() -> None:
    for fields in (("DOI", "doi"), ("doi", "DOI")):
        assert understood("DOI:10.1/x", fields).conditions == [{"DOI": "10.1/x"}]
        assert understood("doi:10.1/x", fields).conditions == [{"doi": "10.1/x"}]
