"""The commands that change a part of the query rules."""

import pytest

from tests.cli.conftest import Xunwen
from tests.client.scripted import ScriptedGateway

PINNED = {"query": "CNN", "pinned": ["1"], "hidden": []}
RULES = {"synonyms": [], "stop_words": [], "queries": [PINNED], "version": "1"}


def test_a_query_without_ids_has_no_rule(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    gateway.answer(200, RULES)
    gateway.answer(200, {"version": "2", "unknown_ids": []})
    ran = xunwen("rules", "pin", "notes", "CNN")
    assert (ran.code, ran.out) == (0, "query rules of notes changed\n")
    assert gateway.asked[1].json["queries"] == []


@pytest.mark.parametrize("query", ["cnn", "卷积"])
def test_a_rule_that_is_not_there_is_not_removed(
    query: str, gateway: ScriptedGateway, xunwen: Xunwen
) -> None:
    gateway.answer(200, RULES)
    ran = xunwen("rules", "pin", "notes", query)
    assert (ran.code, ran.out) == (1, "")
    assert f"no rule for the query '{query}'" in ran.err
    assert "xunwen rules show notes" in ran.err
    assert [asked.method for asked in gateway.asked] == ["GET"]
