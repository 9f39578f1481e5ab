"""Filters of Haystack select what the same filter of a search selects."""

from typing import Any

import pytest

from services.common.filters import compile_filter
from xunwen.client import XunwenError
from xunwen.integrations.haystack_filters import filter_of


def leaf(operator: str, value: object, field: str = "meta.year") -> dict[str, object]:
    return {"field": field, "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (leaf("==", 2019), {"year": {"any": [2019]}}),
        (leaf("==", "数学", "discipline"), {"discipline": {"any": ["数学"]}}),
        (leaf("!=", 2019), {"year": {"ne": 2019}}),
        (leaf(">", 2019), {"year": {"gt": 2019}}),
        (leaf(">=", 2019), {"year": {"gte": 2019}}),
        (leaf("<", 2019), {"year": {"lt": 2019}}),
        (leaf("<=", 2019), {"year": {"lte": 2019}}),
        (leaf("in", [2018, 2019]), {"year": {"any": [2018, 2019]}}),
        (leaf("not in", [2018]), {"not": {"year": {"any": [2018]}}}),
        (
            {"operator": "OR", "conditions": [leaf(">", 1), {"operator": "NOT", "conditions": [
                leaf("==", 2), leaf("<", 3)]}]},
            {"or": [{"year": {"gt": 1}}, {"not": {"and": [
                {"year": {"any": [2]}}, {"year": {"lt": 3}}]}}]},
        ),
        (
            {"operator": "AND", "conditions": [leaf(">", 1), leaf("<", 3)]},
            {"and": [{"year": {"gt": 1}}, {"year": {"lt": 3}}]},
        ),
    ],
)  # fmt: skip
def test_each_operator_has_its_counterpart(given: dict[str, Any], meant: dict[str, Any]) -> None:
    assert filter_of(given) == meant
    assert compile_filter(meant)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"year": 2019},
        {"operator": "AND", "conditions": []},
        {"operator": "XOR", "conditions": [leaf("==", 1)]},
        {"conditions": [leaf("==", 1)]},
        {"field": "meta.year", "operator": "=="},
        {"field": "meta.year", "value": 1},
        leaf("like", "a"),
        {"operator": "NOT", "conditions": ["meta.year == 2019"]},
        {"operator": "AND", "conditions": [leaf("==", 1), None]},
        "meta.year == 2019",
        [leaf("==", 1)],
    ],
)
def test_what_is_no_filter_is_refused(given: Any) -> None:
    with pytest.raises(XunwenError):
        filter_of(given)
