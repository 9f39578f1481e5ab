"""The normal form of text: what it makes equal, what it keeps apart, and its offsets."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.text.normalise import normalise, normalised

_EQUAL = [
    ("微積分與漢語", "微积分与汉语"),
    ("ＡＢＣ１２３（图）", "ABC123(图)"),
    ("乾坤", "乾坤"),  # a phrase that keeps the traditional character
    ("深\u200b度学\u00ad习\ufeff", "深度学习"),
    ("微 积 分", "微积分"),
    ("绪  论", "绪论"),
    ("水稻 冻土 种植", "水稻 冻土 种植"),
    ("基于 BERT 的 模型", "基于BERT的 模型"),
    ("第 314 号", "第314号"),
    ("deep   learning\t\nmodel", "deep learning model"),
    ("  a b  ", "a b"),
    ("CO<sub>2</sub>减排", "CO2减排"),
    ("CO₂减排", "CO2减排"),
    ("R&amp;D投入", "R&D投入"),
    ("a &amp;lt; b &lt; c", "a < b < c"),
    ("<jats:p>摘要<br/>正文</jats:p>", "摘要 正文"),
    ('<font color="red">红</font>', "红"),
    ("a <b and c> d", "a <b and c> d"),
    ("10⁻³、10<sup>-3</sup>、10<SUP>−3</SUP>", "10^-3、10^-3、10^-3"),
    ("10³ 与 10<sup>3</sup>", "10^3与10^3"),
    ("m² 和 <sup>13</sup>C", "m2和13C"),
    ("s⁻¹", "s^-1"),
    ("0.3–0.5 与 −2", "0.3-0.5与 -2"),
    ("5％～10％", "5%~10%"),
    ("cafe\u0301", "café"),
    ("℃ № ½", "°C No 1/2"),
    ("&#x4e2d;&#25991;&alpha;", "中文α"),
    ("&#xff21;e&#769;", "Aé"),
    ("& &nbsp; &notanentity; AT&T", "& &notanentity; AT&T"),
    ("\u1112\u1161\u11ab", "한"),
    ("", ""),
    (" \u3000\u200b ", ""),
]


@pytest.mark.parametrize(("raw", "normal"), _EQUAL)
def test_the_normal_form(raw: str, normal: str) -> None:
    assert normalise(raw) == normal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10³", "103"),
        ("微积分", "微积"),
        ("Bert", "bert"),
        ("5-10", "510"),
        ("水稻 冻土", "水稻冻土"),
    ],
)
def test_what_differs_in_meaning_stays_different(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


_PIECES = st.sampled_from(
    ["微積分", "国", " ", "\u200b", "Ａ", "ﬁ", "e\u0301", "\u0301", "<sub>", "</sub>", "&amp;",
     "&lt;", "<sup>-3</sup>", "10", "⁻³", "²", "㎏", "–", "\u1112\u1161", "\u11ab", "。", "，", "a",
     "\n", "𠮷", "😀", "½", "乾", "坤", "ﾀ", "ﾞ", "ﾟ", "ㄱ", "ㅏ", "ﾾ", "ￂ"]
)  # fmt: skip
_ANY = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.lists(_PIECES | _ANY, max_size=12).map("".join))
@settings(deadline=None)
def test_offsets_belong_to_the_same_normal_form(raw: str) -> None:
    tracked = normalised(raw)
    assert tracked.text == normalise(raw)
    assert len(tracked.starts) == len(tracked.ends) == len(tracked.text)
    last = 0
    for start, end in zip(tracked.starts, tracked.ends, strict=True):
        assert last <= start < end <= len(raw)
        last = start


_WITHOUT_MARKUP = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="<&"), max_size=40
)


@given(_WITHOUT_MARKUP)
@settings(deadline=None)
def test_nothing_but_spaces_signs_and_invisible_characters_gets_lost(raw: str) -> None:
    """Whatever NFKC shows as a letter or digit is still there."""
    kept = [each for each in unicodedata.normalize("NFKC", raw) if each.isalnum()]
    assert len([each for each in normalise(raw) if each.isalnum()]) >= len(kept)


@pytest.mark.parametrize(
    ("raw", "found", "covers"),
    [
        ("论微積分的起源", "微积分", "微積分"),
        ("CO<sub>2</sub>减排", "CO2", "CO<sub>2"),
        ("深\u200b度学习", "深度", "深\u200b度"),
        ("共 ５０ ㎏", "50 kg", "５０ ㎏"),
        ("R&amp;D", "&", "&amp;"),
        ("10⁻³ mol", "10^-3", "10⁻³"),
        ("ﾃﾞｰﾀ分析", "デ", "ﾃﾞ"),
        ("ㄱㅏㄴ", "가", "ㄱㅏ"),
    ],
)
def test_a_match_in_normal_form_is_found_in_the_raw_text(raw: str, found: str, covers: str) -> None:
    tracked = normalised(raw)
    at = tracked.text.index(found)
    start, end = tracked.raw_span(at, at + len(found))
    assert raw[start:end] == covers
