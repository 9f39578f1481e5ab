"""The conditions of Dify as filters: the same documents as Dify's own knowledge would give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from services.common.errors import InvalidRequest
from services.common.filters import compile_filter
from services.gateway.access.doorkeeper import EVERYBODY
from services.gateway.compatible.dify import MetadataCondition, Retrieval, filter_of, retrieval
from services.gateway.search.answers import Answered, Ask, Asker
from services.gateway.search.field_names import FieldNames
from services.gateway.search.terms import Terms
from services.gateway.settings import GatewaySettings
from tests.gateway.cascades import NamingRecall, OneVersion


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


@dataclass
class Found:
    """A search that finds a pinned document, which ranking left out, a good one and a poor one."""

    degraded: Sequence[str] = ()

    async def answer(self, _ask: Ask) -> Answered:
        hits = [
            {"id": name, "score": score, "title": name, "text": "", "fields": {}} | more
            for name, score, more in (
                ("pinned", 0.0, {"pinned": True}),
                ("good", 0.9, {}),
                ("poor", 0.2, {}),
            )
        ]
        return Answered(orjson.dumps({"hits": hits})[:-1], "notes__1", self.degraded)


@pytest.mark.parametrize(
    ("degraded", "threshold", "records"),
    [
        ((), None, ["pinned", "good", "poor"]),
        ((), 0.5, ["pinned", "good"]),
        (("lexical",), 0.5, ["pinned", "good"]),
        (("rank",), 0.5, ["pinned", "good", "poor"]),
    ],
)
async def test_a_threshold_is_the_least_score_of_a_search(
    degraded: Sequence[str], threshold: float | None, records: list[str]
) -> None:
    """Pinned documents need no score, and without ranking there is none to compare."""
    settings = GatewaySettings()
    names = FieldNames(NamingRecall(), OneVersion())
    terms = Terms(Found(degraded), settings, Asker("-", "-"), EVERYBODY, names, None)
    body = Retrieval.model_validate(
        {
            "knowledge_id": "notes",
            "query": "水稻",
            "retrieval_setting": {"top_k": 3, "score_threshold": threshold},
        }
    )
    answer = orjson.loads((await retrieval(body, terms)).body)
    assert [one["title"] for one in answer["records"]] == records
