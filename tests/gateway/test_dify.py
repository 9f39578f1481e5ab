"""The conditions of Dify as filters: the same documents as Dify's own knowledge would give."""

from typing import Any

import pytest

from services.common.errors import InvalidRequest
from services.common.filters import compile_filter
from services.gateway.compatible.dify import MetadataCondition, filter_of


def read(operator: str, value: Any) -> Any:
    one = {"name": "year", "comparison_operator": operator, "value": value}
    condition = filter_of(MetadataCondition.model_validate({"conditions": [one]}))
    assert condition is not None
    compile_filter(condition)
    return condition["and"][0]


@pytest.mark.parametrize(
    ("operator", "value", "meant"),
    [
        ("in", ["甲", "乙"], {"year": {"any": ["甲", "乙"]}}),
        ("in", "甲, 乙,", {"year": {"any": ["甲", "乙"]}}),
        ("in", "2019,甲", {"year": {"any": ["2019", 2019, "甲"]}}),
        ("in", ["2019.5"], {"year": {"any": ["2019.5", 2019.5]}}),
        ("in", 2019, {"year": {"any": ["2019", 2019]}}),
        ("in", ["nan", "1_0", "1e400"], {"year": {"any": ["nan", "1_0", "1e400"]}}),
        ("not in", "甲", {"not": {"year": {"any": ["甲"]}}}),
        ("=", "2019", {"year": 2019}),
        ("=", "nan", {"year": "nan"}),
        ("=", "1_000", {"year": "1_000"}),
        ("≠", "-2.5", {"year": {"ne": -2.5}}),
        ("!=", "3", {"year": {"ne": 3}}),
        (">=", "2015", {"year": {"gte": 2015}}),
        ("<=", 2015, {"year": {"lte": 2015}}),
        ("is", "2019", {"year": "2019"}),
        ("after", "2019-05", {"year": {"gt": "2019-05"}}),
    ],
)
def test_a_condition_of_dify(operator: str, value: Any, meant: dict[str, Any]) -> None:
    assert read(operator, value) == meant


@pytest.mark.parametrize(
    ("operator", "value"),
    [("in", ""), ("in", " , "), ("not in", []), ("start with", "2"), ("is", None), ("in", None)],
)
def test_a_condition_that_cannot_be_asked(operator: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match="each with a value") as refused:
        read(operator, value)
    assert operator in refused.value.detail
