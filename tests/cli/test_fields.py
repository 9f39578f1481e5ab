"""Types of fields on the command line."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.cli.conftest import Xunwen
from tests.client.scripted import ScriptedGateway

COLLECTION = {
    "name": "papers",
    "count": 2,
    "encoder": "e",
    "dimension": 3,
    "lexical": True,
    "index": "papers__x",
    "index_version": "1",
}
NUMBER = {"type": "number", "weight": 1}
DECLARED = {**COLLECTION, "fields": {"year": NUMBER}, "waiting_fields": ["year"]}


def test_declare(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    gateway.script[:] = [(200, COLLECTION, {}), (200, DECLARED, {})]
    ran = xunwen("collections", "fields", "papers", "year=number", "a=b=text:3")
    assert ran.out == "year: number, filters use it after a rebuild\n"
    assert (gateway.asked[1].method, gateway.asked[1].path) == (
        "PUT",
        "/v1/collections/papers/fields",
    )
    assert gateway.asked[1].json == {
        "fields": {"year": NUMBER, "a=b": {"type": "text", "weight": 3}}
    }


def test_show_and_create(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    gateway.answer(200, COLLECTION)
    assert xunwen("collections", "fields", "papers").out == "No field has a declared type.\n"
    assert [one.method for one in gateway.asked] == ["GET"]
    xunwen("collections", "create", "papers", "--field", "year=number", "--field", "k=keyword")
    assert gateway.asked[-1].json["fields"] == {
        "year": NUMBER,
        "k": {"type": "keyword", "weight": 1},
    }
    xunwen("collections", "create", "papers")
    assert gateway.asked[-1].json == {"name": "papers"}
    xunwen("collections", "create", "papers", "--partition-key", "tenant")
    assert gateway.asked[-1].json == {"name": "papers", "partition_key": "tenant"}


def test_the_partition_key_is_shown(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    keyword = {"type": "keyword", "weight": 1}
    gateway.answer(200, {**COLLECTION, "fields": {"tenant": keyword}, "partition_key": "tenant"})
    shown = xunwen("collections", "fields", "papers").out
    assert shown == "tenant: keyword, names the partition\n"


def statistics(kinds: Mapping[str, str | None]) -> dict[str, Any]:
    """The statistics of a collection whose fields have these types."""
    field: dict[str, Any] = {"documents": 1, "lists": 0, "kinds": {}, "distinct": 1}
    field |= {"complete": True, "top": []}
    return {
        "collection": "papers",
        "index_version": "1",
        "documents": 1,
        "counted": 1,
        "title": {"documents": 1, "mean_characters": 1, "most_characters": 1},
        "text": {"documents": 1, "mean_characters": 1, "most_characters": 1},
        "fields": [{**field, "name": name, "type": kind} for name, kind in kinds.items()],
    }


def test_learn_what_is_not_declared(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    kinds = {"year": "number", "day": "date", "mixed": None, "note": "text"}
    gateway.script[:] = [(200, DECLARED, {}), (200, statistics(kinds), {}), (200, DECLARED, {})]
    assert xunwen("collections", "fields", "papers", "note=text:2", "--learn").code == 0
    assert gateway.asked[-1].json["fields"] == {
        "note": {"type": "text", "weight": 2},
        "day": {"type": "date", "weight": 1},
    }


def test_learn_as_many_as_can_be_declared(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    kinds = {f"c{number}": "number" for number in range(40)}
    gateway.script[:] = [(200, DECLARED, {}), (200, statistics(kinds), {}), (200, DECLARED, {})]
    ran = xunwen("collections", "fields", "papers", "note=text", "--learn")
    assert ran.code == 0
    # Beside the note and the year, which is declared.
    assert list(gateway.asked[-1].json["fields"]) == ["note", *list(kinds)[:30]]
    assert ran.err.endswith("32 declared fields at most: " + ", ".join(list(kinds)[30:]) + "\n")


@pytest.mark.parametrize(
    "word",
    [
        *("year", "=number", "year=", "year=colour"),
        *("year=number:x", "title=text:²", "title=text:" + "9" * 5_000),
    ],
)
def test_what_declares_no_type(gateway: ScriptedGateway, xunwen: Xunwen, word: str) -> None:
    gateway.answer(200, COLLECTION)
    ran = xunwen("collections", "fields", "papers", word)
    assert ran.code == 1
    assert "type" in ran.err or "keyword" in ran.err
    assert not [one for one in gateway.asked if one.method == "PUT"]


def test_what_is_wrong_with_a_collection_is_shown(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    problem = "The record of collection 'papers' cannot be read."
    broken, whole = {**COLLECTION, "problem": problem}, {**COLLECTION, "name": "notes"}
    gateway.script[:] = [(200, {"collections": [broken, whole]}, {}), (200, broken, {})]
    assert xunwen("collections", "list").out.splitlines()[-1] == problem
    assert xunwen("collections", "show", "papers").out.splitlines()[-1] == problem
