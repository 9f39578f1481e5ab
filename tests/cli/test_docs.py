"""Single documents on the command line."""

import io
import json
import sys
from typing import Any

import pytest

from tests.cli.conftest import Xunwen
from tests.client.scripted import ScriptedGateway

WRITTEN = {"id": "1", "collection": "notes", "index_version": "1"}


def stdin_of(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


@pytest.mark.parametrize(
    ("change", "sent"),
    [
        ({"title": "甲"}, {"title": "甲"}),
        ({"body": "正文"}, {"body": "正文"}),
        ({"title": None}, {"title": None}),
        ({"text": None, "body": None}, {"text": None, "body": None}),
        ({"fields": {"year": 2021, "draft": None}}, {"fields": {"year": 2021, "draft": None}}),
        ({"fields": None}, {"fields": None}),
        ({"fields": {}}, {"fields": {}}),
        ({"year": 2021}, {"fields": {"year": 2021}}),
        ({"year": None, "title": "甲"}, {"fields": {"year": None}, "title": "甲"}),
        (
            {"year": 2021, "fields": {"year": 2022, "journal": "乙"}},
            {"fields": {"year": 2022, "journal": "乙"}},
        ),
    ],
)
def test_a_change_is_sent_as_it_is_given(
    change: dict[str, Any],
    sent: dict[str, Any],
    gateway: ScriptedGateway,
    xunwen: Xunwen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway.answer(200, WRITTEN)
    text = json.dumps(change, ensure_ascii=False)
    stdin_of(monkeypatch, b"\xef\xbb\xbf" + text.encode())
    for given in (text, "-"):
        gateway.asked.clear()
        ran = xunwen("docs", "patch", "1", given, "-c", "notes")
        assert (ran.code, ran.err, ran.out) == (0, "", "1 changed in notes\n")
        assert (gateway.asked[0].method, gateway.asked[0].path) == (
            "PATCH",
            "/v1/collections/notes/documents/1",
        )
        assert gateway.asked[0].json == sent


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ("{}", 1, "nothing is to be changed"),
        ('{"id": "2"}', 1, "the id of a document cannot be changed"),
        ('{"title": 3}', 1, "title: "),
        ('{"fields": ["a"]}', 1, "fields: "),
        ("[1]", 2, "not a JSON object"),
        ("null", 2, "not a JSON object"),
        ("{", 2, "not JSON"),
    ],
)
def test_what_is_no_change_is_not_sent(
    change: str, code: int, says: str, gateway: ScriptedGateway, xunwen: Xunwen
) -> None:
    ran = xunwen("docs", "patch", "1", change, "-c", "notes")
    assert (ran.code, ran.out) == (code, "")
    assert says in ran.err
    assert gateway.asked == []


@pytest.mark.parametrize("words", [("docs", "put"), ("docs", "patch", "1")])
def test_what_is_read_and_is_no_text_is_refused_in_words(
    words: tuple[str, ...],
    gateway: ScriptedGateway,
    xunwen: Xunwen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stdin_of(monkeypatch, '{"id": "1", "title": "水稻病害"}'.encode("gb18030"))
    ran = xunwen(*words, "-c", "notes")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "xunwen: Standard input is no text in UTF-8; save it as UTF-8.\n"
    assert gateway.asked == []


def test_a_document_is_put(
    gateway: ScriptedGateway, xunwen: Xunwen, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.answer(200, WRITTEN)
    stdin_of(monkeypatch, '{"id": 1, "title": "水稻病害", "year": 2021}'.encode())
    assert xunwen("docs", "put", "-c", "notes").out == "1 written to notes\n"
    assert gateway.asked[0].json == {
        "title": "水稻病害",
        "text": "",
        "body": "",
        "fields": {"year": 2021},
    }
