"""What people read is what is stored: signs that mean something elsewhere are shown as they are."""

import json
import os
import subprocess
import unicodedata
from typing import Any

import pytest

from tests.cli.conftest import Xunwen
from tests.client.scripted import ANSWER, ScriptedGateway, job
from tests.stack import XUNWEN
from xunwen.cli.context import console

WRITTEN = "[j] 刊 [/b] a:id:1"
"""A library for terminals would take the brackets for colours and `:id:` for an emoji."""
HIT = {"id": WRITTEN, "score": 0.5, "title": WRITTEN, "fields": {"discipline": WRITTEN}}
LENGTHS = {"documents": 1, "mean_characters": 1, "most_characters": 1}
FIELD = {
    "name": WRITTEN,
    "documents": 1,
    "kinds": {"text": 1},
    "lists": 0,
    "distinct": 1,
    "complete": True,
    "top": [{"value": WRITTEN, "documents": 1}],
}
STATISTICS = {
    "collection": "x",
    "index_version": "1",
    "documents": 1,
    "counted": 1,
    "title": LENGTHS,
    "text": LENGTHS,
    "fields": [FIELD],
}
COLLECTION = {
    "name": "x",
    "count": 1,
    "lexical": True,
    "dimension": 4,
    "encoder": "e",
    "index": "x1",
    "index_version": "1",
    "problem": WRITTEN,
}
ENDED = {**job("succeeded_with_errors"), "message": WRITTEN, "columns": {"title": WRITTEN}}


@pytest.mark.parametrize(
    ("words", "answer", "times"),
    [
        ("search q", {**ANSWER, "hits": [HIT]}, 2),
        ("search q", {**ANSWER, "hits": [{**HIT, "fields": {"a": WRITTEN}}]}, 2),
        ("search q --field a", {**ANSWER, "hits": [{**HIT, "fields": {"a": WRITTEN}}]}, 2),
        ("docs list -c x", {"documents": [HIT], "next": None}, 2),
        ("docs get 1 -c x", {**HIT, "text": WRITTEN, "passage_count": 0}, 3),
        ("docs similar 1 -c x", {"id": "1", "collection": "x", "hits": [HIT], "took_ms": 1}, 2),
        ("collections statistics x", STATISTICS, 2),
        ("collections list", {"collections": [COLLECTION]}, 1),
        ("jobs show j1", ENDED, 2),
    ],
)
def test_signs_are_shown_as_they_are(
    words: str,
    answer: dict[str, Any],
    times: int,
    gateway: ScriptedGateway,
    xunwen: Xunwen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    gateway.answer(200, answer)
    ran = xunwen(*words.split())
    assert ran.code == 0
    assert ran.out.count(WRITTEN) == times


def test_a_bar_shows_the_message_of_a_job_as_it_is(
    gateway: ScriptedGateway, xunwen: Xunwen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # The output counts as a terminal.
    monkeypatch.setattr(console, "is_interactive", True)
    gateway.answer(200, {**job("running"), "message": WRITTEN})
    gateway.answer(200, b"")  # The events break off, so the bar is shown until the next state.
    gateway.answer(200, job("succeeded", 2))
    ran = xunwen("jobs", "watch", "j1")
    assert ran.code == 0
    assert WRITTEN in ran.out


def test_a_list_is_shown_as_a_list(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    fields = {"discipline": ["文学", "外国语言文学"]}
    gateway.answer(200, {**ANSWER, "hits": [{**HIT, "fields": fields}]})
    assert "文学、外国语言文学" in xunwen("search", "q").out


HOSTILE = "\x1b]52;c;cm0=\x07题\x1b[2J\x9b31m目\x08\r盖"
"""Commands that fill the clipboard, clear the screen and write over a line, in a title."""


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("search q", {**ANSWER, "hits": [{**HIT, "title": HOSTILE}]}),
        ("search q --field a", {**ANSWER, "hits": [{**HIT, "fields": {"a": HOSTILE}}]}),
        ("docs list -c x", {"documents": [{**HIT, "title": HOSTILE}], "next": None}),
        ("docs get 1 -c x", {**HIT, "text": HOSTILE, "passage_count": 0}),
        ("jobs show j1", {**ENDED, "message": HOSTILE}),
        ("jobs errors j1", {"line": 3, "reason": HOSTILE}),
        ("docs cite 1 -c x", f"TI  - {HOSTILE}\r\n".encode()),
        ("search q --cite ris", f"TI  - {HOSTILE}\r\n".encode()),
    ],
)
def test_a_document_commands_no_terminal(
    words: str, answer: Any, gateway: ScriptedGateway, xunwen: Xunwen
) -> None:
    gateway.answer(200, answer)
    ran = xunwen(*words.split())
    assert ran.code == 0
    assert "题" in ran.out
    shown = ran.out.replace("\r\n", "\n")
    assert not [sign for sign in shown if unicodedata.category(sign) == "Cc" and sign != "\n"]


@pytest.mark.parametrize("charset", ["gbk", "latin-1"])
def test_a_charset_that_lacks_characters_ends_no_command(
    charset: str, gateway: ScriptedGateway
) -> None:
    """Terminals of some Chinese servers have GBK."""
    title = "é题😀"
    env = {**os.environ, "XUNWEN_URL": gateway.url, "PYTHONIOENCODING": charset}
    gateway.answer(200, {"id": "1", "title": title, "fields": {}, "passage_count": 0})
    shown = {
        option: subprocess.run(
            [XUNWEN, "docs", "get", "1", "-c", "x", *option],
            env=env,
            capture_output=True,
            check=True,
        ).stdout.decode(charset)
        for option in ((), ("--json",))
    }
    assert json.loads(shown["--json",])["title"] == title
    assert shown[()].rstrip().endswith("\\ud83d\\ude00")
    gateway.script[:] = [(200, {**job("succeeded"), "message": title}, {})]
    ended = subprocess.run(
        [XUNWEN, "jobs", "watch", "j1"], env=env, capture_output=True, check=True
    )
    assert b"succeeded" in ended.stdout
