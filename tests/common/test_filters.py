"""Filters: what they can be. What they mean is tested on real engines in tests/engines."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import Conflict, InvalidFilter
from services.common.filters import check_prepared, compile_filter

_WRITTEN = re.compile(
    r"""\["[A-Za-z_][A-Za-z0-9_]*(?:=[0-9a-f]{16})?"\]|("(?:[^"\\\n\r\t]|\\["\\])*")"""
    r"""|fields|facets|and|or|==|!=|>=|<=|>|<|\(|\)|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|\s+"""
)
"""All that an expression of ours may consist of."""

_SCALARS = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="\"\\'()[]% \n\r\t{}=|&;", max_size=20),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True).filter(
    lambda name: name not in ("and", "or", "not")
)
_CONDITIONS = st.one_of(
    _SCALARS,
    st.fixed_dictionaries({"ne": _SCALARS}),
    st.fixed_dictionaries({"gte": st.integers(0, 9)}, optional={"lt": st.floats(10, 20)}),
    st.fixed_dictionaries({"gt": st.text(alphabet="\"\\'()[]% {}=|&;", max_size=20)}),
    st.fixed_dictionaries({"any": st.lists(_SCALARS, min_size=1, max_size=4)}),
    st.fixed_dictionaries({"all": st.lists(_SCALARS, min_size=1, max_size=4)}),
)
_FILTERS = st.recursive(
    st.dictionaries(_NAMES, _CONDITIONS, min_size=1, max_size=3),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"and": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"or": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=8,
)


@given(_FILTERS)
def test_no_string_escapes(condition: dict[str, Any]) -> None:
    """Whatever the values hold, the expression is made of our own tokens and closed literals."""
    try:
        expression = compile_filter(condition)
    except InvalidFilter:
        return  # control characters and filters that are too large
    rest = _WRITTEN.sub("", expression)
    assert rest == ""


@given(st.text(min_size=1, max_size=40))
def test_a_text_comes_back_from_its_literal(value: str) -> None:
    try:
        expression = compile_filter({"a": {"gt": value}})
    except InvalidFilter:
        return
    literal = expression.removeprefix('(fields["a"] > "').removesuffix('")')
    literal = re.sub(r"(?<!\\)((?:\\\\)*)" + re.escape('\\"'), r'\g<1>"', literal)
    assert literal.replace("\\\\", "\\") == value


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ({"-a": 1}, "cannot be a field"),
        ({"a ": 1}, "cannot be a field"),
        ({"a\\": 1}, "cannot be a field"),
        ({"\ud800": 1}, "cannot be a field"),
        ({"字" * 65: 1}, "cannot be a field"),
        ({'x"] == 1 or fields["y': 1}, "cannot be a field"),
        ({"a": {"like": "x%"}}, "'like' is no operator"),
        ({"a": {}}, "has no condition"),
        ({"a": None}, "a value is a string"),
        ({"a": [1]}, "a value is a string"),
        ({"a": {"any": []}}, "at least one"),
        ({"a": {"any": "x"}}, "takes a list"),
        (
            {"a": {"gte": True}},
            '`gte` takes one number or one string, such as {"a": {"gte": 2015}}',
        ),
        ({"a": {"lt": [1, 2]}}, "`lt` takes one number or one string"),
        ({"a": {"gt": None}}, "`gt` takes one number or one string"),
        ({"a": {"lte": {"gte": 1}}}, "`lte` takes one number or one string"),
        ({"a": {"gte": False, "lt": True}}, "`gte` takes one number or one string"),
        ({"a": {"gte": 2015, "lt": "abc"}}, '`gte` 2015 and `lt` "abc" are bounds of two kinds'),
        (
            {"a": {"gte": "2015", "lte": 2020}},
            '`gte` "2015" and `lte` 2020 are bounds of two kinds',
        ),
        ({"a": {"gt": 1, "gte": 2, "lt": "乙"}}, '`gt` 1, `gte` 2 and `lt` "乙" are bounds of'),
        ({"a": {"gt": 1.5, "gte": "x"}}, '`gt` 1.5 and `gte` "x" are bounds of two kinds'),
        ({"a": {"ne": 3, "gt": 1, "lt": "x"}}, "write all of them as numbers, or all as strings"),
        ({"not": {"a": {"gte": 2015, "lt": "abc"}}}, "bounds of two kinds"),
        ({"or": [{"b": 1}, {"and": [{"a": {"gt": "x", "lt": 1}}]}]}, "bounds of two kinds"),
        ({"a": {"gte": 1, "lt": "字" * 99}}, f'`lt` "{"字" * 39} are bounds of two kinds'),
        ({"a": {"gte": 1, "lt": "\ud800"}}, "control characters"),
        ({"a": {"gte": "x", "lt": float("inf")}}, "finite"),
        ({"a": float("nan")}, "finite"),
        ({"a": 2**63}, "64 bits"),
        ({"a": -(2**63) - 1}, "64 bits"),
        ({"a": "x\x00"}, "control characters"),
        ({"a": "\ud800"}, "control characters"),
        ({"a": {"gt": "x\n"}}, "control characters"),
        ({"and": {}}, "list of filters"),
        ({"or": []}, "at least one"),
        ({"not": "x"}, "JSON object"),
        ({"not": {}}, "JSON object"),
        ({"a": {"any": list(range(201))}}, "more than 200 conditions"),
        ({"or": [{"a": each} for each in range(201)]}, "more than 200 conditions"),
    ],
)
def test_what_is_no_filter_is_refused_in_words(condition: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidFilter, match=re.escape(says)):
        compile_filter(condition)


_A = 'fields["a"]'


@pytest.mark.parametrize(
    ("condition", "compiled"),
    [
        ({"a": {"gte": 1, "lt": 2.5}}, f"(({_A} >= 1) and ({_A} < 2.5))"),
        ({"a": {"gt": 1, "gte": 2}}, f"(({_A} > 1) and ({_A} >= 2))"),
        ({"a": {"gte": "2015", "lt": "2020"}}, f'(({_A} >= "2015") and ({_A} < "2020"))'),
        ({"a": {"gte": 2020, "lte": 2015}}, f"(({_A} >= 2020) and ({_A} <= 2015))"),
        (
            {"and": [{"a": {"gte": 2015}}, {"a": {"lt": "abc"}}]},
            f'(({_A} >= 2015) and ({_A} < "abc"))',
        ),
    ],
)
def test_bounds_of_one_range_must_all_hold(condition: dict[str, Any], compiled: str) -> None:
    """Also where no value can be in the range: a program that computes its bounds gets an empty
    answer and no refusal."""
    assert compile_filter(condition) == compiled


def test_deep_nesting_is_refused() -> None:
    condition: dict[str, Any] = {"a": 1}
    for _ in range(50):
        condition = {"not": condition}
    with pytest.raises(InvalidFilter, match="nested"):
        compile_filter(condition)


def test_no_filter_is_no_expression() -> None:
    assert compile_filter(None) == compile_filter({}) == ""


def test_a_filter_on_rows_that_are_not_prepared_is_refused() -> None:
    expression = compile_filter({"year": 2015})
    check_prepared(expression, "notes", prepared=True)
    check_prepared("", "notes", prepared=False)
    with pytest.raises(Conflict) as refused:
        check_prepared(expression, "notes", prepared=False)
    assert "notes" in refused.value.detail
    assert "rebuild it" in refused.value.detail
