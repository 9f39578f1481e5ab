"""Declared types of fields: which values fit, in which form they are stored, and their columns."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.common.documents import BYTES, Content, lexical_source, repeated_sources
from services.common.fields.columns import (
    NO_NUMBER,
    NO_TEXT,
    NUMBER,
    TEXT,
    column_name,
    columns_of,
    typed_values,
)
from services.common.fields.types import MEMBERS, FieldKind, FieldType, typed
from services.common.filters import compile_filter
from services.common.wire.collections import DeclaredFields


def stored(kind: str, value: Any) -> Any:
    return typed({"f": value}, {"f": FieldType(type=FieldKind(kind))})["f"]


@pytest.mark.parametrize(
    ("kind", "value", "form"),
    [
        ("number", 2015, 2015),
        ("number", "2015", 2015),
        ("number", " -12.50", -12.5),
        ("number", "1e3", 1000),
        ("keyword", "数学", "数学"),
        ("keyword", 7, "7"),
        ("keywords", ["检索", 2], ["检索", "2"]),
        ("keywords", "检索", "检索"),
        ("date", 2015, "2015"),
        ("date", "2015-3", "2015-03"),
        ("date", "2015/3/1", "2015-03-01"),
        ("date", "2015年3月1日", "2015-03-01"),
        ("date", "2015年3月", "2015-03"),
        ("date", "2015-03-01T08:30", "2015-03-01T08:30:00"),
        ("text", ["很长", "的话"], ["很长", "的话"]),
    ],
)
def test_a_value_is_stored_in_the_usual_form(kind: str, value: Any, form: Any) -> None:
    found = stored(kind, value)
    assert found == form
    assert type(found) is type(form)
    assert stored(kind, found) == found


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("number", "about 12", "`f` is declared as number, and 'about 12' is not one number"),
        ("number", [1, 2], "send a number"),
        ("number", True, "send a number"),
        ("number", 2**53, "too large"),
        ("number", "1e999", "too large"),
        ("keyword", ["a"], "declare the field as keywords"),
        ("keyword", "a\nb", "control character"),
        ("keyword", True, "send a text"),
        ("keywords", [True], "send a text"),
        ("date", "2015-13", "is no date; send YYYY"),
        ("date", "2015-02-30", "is no date"),
        ("date", "last year", "is no date"),
        ("date", 20150301, "is no date"),
        ("date", True, "is no date"),
        ("text", 5, "send a text"),
    ],
)
def test_another_value_is_refused_in_words(kind: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        stored(kind, value)


def test_undeclared_and_absent_fields_stay_as_they_are() -> None:
    fields: dict[str, Any] = {"a": [1.5], "b": True}
    assert typed(fields, {"f": FieldType(type=FieldKind.NUMBER)}) == fields


@pytest.mark.parametrize(
    "fields",
    [
        {"f": "colour"},
        {"f": {"type": "number", "weight": 2}},
        {"f": {"type": "date", "weight": 0}},
        {"f": {"type": "text", "weight": 11}},
        {"f": {"type": "text", "weight": -1}},
        {"f": {"type": "text", "weight": 1.5}},
        {"title": "keyword"},
        {"body": {"type": "number"}},
        {"*": "number"},
        {f"f{n}": "number" for n in range(33)},
    ],
)
def test_impossible_declarations_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DeclaredFields(fields=fields)


def weighed(weights: dict[str, int], kind: str = "text") -> dict[str, FieldType]:
    given = {name: {"type": kind, "weight": weight} for name, weight in weights.items()}
    return DeclaredFields.model_validate({"fields": given}).fields


def test_a_weight_says_how_often_words_count() -> None:
    fields = {"a": "甲", "b": ["乙", "丙"], "c": "丁"}
    document = Content(id="1", title="题", text="文", fields=fields)
    types = weighed({"b": 2, "c": 0}) | weighed({"a": 3}, "keyword")
    assert lexical_source(document, types).split() == [*"题文甲乙丙"]
    assert [*repeated_sources(document, types)] == [("甲", 2), ("乙", 1), ("丙", 1)]
    types = weighed({"title": 2, "text": 0})
    assert lexical_source(document, types).split() == [*"题甲乙丙丁"]
    assert [*repeated_sources(document, types)] == [("题", 1)]


def test_the_members_that_have_a_weight_are_those_with_text() -> None:
    assert tuple(BYTES) == MEMBERS


def test_columns_hold_single_values_of_their_kind() -> None:
    given = {"y": "number", "k": "keyword", "l": "keywords", "t": "text"}
    types = DeclaredFields.model_validate({"fields": given})
    columns = columns_of(types.fields)
    year, word = column_name(NUMBER, "y"), column_name(TEXT, "k")
    assert set(columns) == {year, word}
    assert typed_values({"y": 3, "k": "a", "l": ["b"]}, columns) == {year: 3.0, word: "a"}
    assert typed_values({"y": "3", "k": ["a"]}, columns) == {year: NO_NUMBER, word: NO_TEXT}
    assert typed_values({"y": True}, columns) == {year: NO_NUMBER, word: NO_TEXT}


_TEXTS = st.text(st.characters(codec="utf-8", min_codepoint=32), max_size=4)
_NUMBERS = st.one_of(st.integers(-3, 3), st.floats(-3, 3))


@given(
    st.one_of(_TEXTS, _NUMBERS),
    st.one_of(st.none(), _TEXTS, _NUMBERS),
    st.sampled_from(["is", "ne", "gt", "gte", "lt", "lte"]),
    st.booleans(),
)
def test_a_comparison_means_the_same_on_a_column(
    operand: Any, value: Any, word: str, negated: bool
) -> None:
    """Missing values and those of another kind belong to every complement and to no comparison."""
    columns = [column_name(NUMBER, "f"), column_name(TEXT, "f")]
    condition: dict[str, Any] = {"f": operand if word == "is" else {word: operand}}
    condition = {"not": condition} if negated else condition
    expression = compile_filter(condition, columns)
    row = typed_values({} if value is None else {"f": value}, columns)
    found = eval(expression, {}, row)
    same = value is not None and isinstance(value, str) == isinstance(operand, str)
    meanings: dict[str, Callable[[], bool]] = {
        "is": lambda: same and value == operand,
        "ne": lambda: not (same and value == operand),
        "gt": lambda: same and value > operand,
        "gte": lambda: same and value >= operand,
        "lt": lambda: same and value < operand,
        "lte": lambda: same and value <= operand,
    }
    assert found == (meanings[word]() != negated)
