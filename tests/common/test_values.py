"""Storable values: what is accepted comes back exactly, the rest is refused with a reason."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.documents import Document, gathered
from services.common.fields.values import MAX_INTEGER, MIN_INTEGER, readable, storable

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
integers = st.integers(MIN_INTEGER, MAX_INTEGER)
decimals = st.floats(allow_nan=False, allow_infinity=False)
kept = st.one_of(
    texts,
    st.booleans(),
    integers,
    decimals,
    st.lists(texts, max_size=4),
    st.lists(st.booleans(), max_size=4),
    st.lists(integers, max_size=4),
    st.lists(decimals, max_size=4),
)
anything = st.recursive(
    st.one_of(st.none(), st.text(max_size=5), st.booleans(), st.integers(), st.floats()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def kinds(value: Any) -> Any:
    return [type(item) for item in value] if isinstance(value, list) else type(value)


@given(kept)
def test_what_is_accepted_is_stored_as_it_is(value: Any) -> None:
    stored = storable(value)
    again = json.loads(json.dumps(stored, ensure_ascii=False, allow_nan=False))
    for form in stored, again, readable({"a": again})["a"]:
        assert form == value
        assert kinds(form) == kinds(value)


@given(kept)
def test_a_document_keeps_its_metadata_and_their_types(value: Any) -> None:
    document = Document.model_validate({"id": "1", "title": "t", "a": value})
    again = Document.model_validate_json(document.model_dump_json())
    for form in document, again:
        assert form.fields == {"a": value}
        assert kinds(form.fields["a"]) == kinds(value)


@given(anything)
def test_anything_else_is_refused_in_words_and_never_breaks_an_answer(value: Any) -> None:
    stored, reason = None, ""
    try:
        stored = storable(value)
    except ValueError as error:
        reason = str(error)
    assert reason.startswith(("is ", "has ", "holds ")) if reason else stored == value
    answer = json.dumps(readable({"a": value, "b": 1}), ensure_ascii=False, allow_nan=False)
    assert json.loads(answer.encode())["b"] == 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "not a finite number"),
        (-math.inf, "not a finite number"),
        ([1.0, math.nan], "not a finite number"),
        (10**30, "beyond 64 bits"),
        (2**63, "beyond 64 bits"),
        ([2**53 + 1, 0.5], "lose digits"),
        ("\ud800", "half a character"),
        ("a\x00", "NUL"),
        ("字" * 2_000, "6,000 bytes, at most 4,096"),
        ({"a": 1}, "an object"),
        ([["a"]], "lists or objects"),
        (["a", None], "null"),
        (["a", 1], "mixes integers and texts"),
        ([True, 1], "mixes integers and true and false"),
        (b"bytes", "no text"),
    ],
)
def test_the_reason_of_a_refusal(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        storable(value)


def test_true_stays_true_and_a_list_has_one_kind() -> None:
    document = Document.model_validate(
        {"id": 7, "title": "t", "open": [True, False], "n": [1, 2.5]}
    )
    assert document.id == "7"
    assert document.model_dump_json() == (
        '{"id":"7","title":"t","text":"","body":"","fields":{"open":[true,false],"n":[1.0,2.5]}}'
    )


def test_stored_rows_of_older_versions_are_readable() -> None:
    stored = {"year": math.nan, "name": "a\ud800b", "good": 1, "list": [1.0, math.inf], "m": {}}
    assert readable(stored) == {"name": "a\ufffdb", "good": 1}


def test_members_of_an_input_are_gathered_alike() -> None:
    members = gathered({"id": 1, "title": None, "text": "t", "a": 1, "b": None, "fields": {"a": 2}})
    assert members == {"id": "1", "text": "t", "fields": {"a": 2}}
    row = gathered(
        {"no": "x", "name": "t", "fields": "f"}, names={"id": "no", "title": "name"}, columns=True
    )
    assert row == {"id": "x", "title": "t", "fields": {"fields": "f"}}
