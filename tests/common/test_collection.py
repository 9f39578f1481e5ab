"""Names of collections, user-facing and physical."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.collection import (
    NAME_PATTERN,
    PhysicalName,
    check_collection_name,
    milvus_name,
    user_name,
)
from services.common.errors import InvalidRequest

names = st.from_regex(NAME_PATTERN.removesuffix("$") + r"\Z")


analyzers = st.from_regex(r"\A[0-9]{1,2}(d[0-9a-f]{8})?\Z")


@given(names, st.from_regex(r"\A[0-9a-f]{16}\Z"), analyzers, st.integers(0, 2**63 - 1))
def test_a_physical_name_reads_back(name: str, encoder: str, analyzer: str, made: int) -> None:
    physical = PhysicalName(name, encoder, analyzer, made)
    assert PhysicalName.parse(str(physical)) == physical
    assert len(str(physical)) <= 255


@pytest.mark.parametrize("foreign", ["literature", "a__b", "x__e1__a1__g1", ""])
def test_foreign_collections_are_not_ours(foreign: str) -> None:
    assert PhysicalName.parse(foreign) is None


@given(names)
def test_possible_names_are_accepted(name: str) -> None:
    assert check_collection_name(name) == name


@given(names)
def test_milvus_holds_letters_digits_and_underscores(name: str) -> None:
    assert re.fullmatch("[a-z][a-z0-9_]*", milvus_name(name))
    assert user_name(milvus_name(name)) == name


@pytest.mark.parametrize(
    "name",
    ["", "A", "1a", "a__b", "a_", "文献", "a--b", "a_-b", "-a", "a-", "a b", "a" * 49, "a\n"],
)
def test_impossible_names_are_refused_in_words(name: str) -> None:
    with pytest.raises(InvalidRequest, match="lower-case"):
        check_collection_name(name)
