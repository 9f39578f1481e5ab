"""Files of text that commands read."""

from pathlib import Path

import pytest

from tests.cli.conftest import Xunwen
from tests.client.scripted import ScriptedGateway

RULES = {"synonyms": [], "stop_words": [], "queries": [], "version": "1"}
WRITTEN = {"version": "2", "unknown_ids": []}
COMMANDS = [
    (("collections", "golden"), '{"query": "水稻病害", "ids": ["a"]}', [{"queries": []}]),
    (("rules", "set"), '{"stop_words": ["水稻病害"]}', [WRITTEN]),
    (("rules", "synonyms"), "卷积神经网络, CNN", [RULES, WRITTEN]),
    (("rules", "words"), "水稻病害", [{"words": 1, "waiting": False}]),
]
"""Commands that read a file of text, with such a text and the gateway's answers."""


@pytest.mark.parametrize(("command", "text", "answers"), COMMANDS)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig"])
def test_a_file_in_utf8_is_read_with_and_without_its_mark(
    codec: str,
    command: tuple[str, ...],
    text: str,
    answers: list[dict[str, object]],
    gateway: ScriptedGateway,
    xunwen: Xunwen,
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(text.encode(codec))
    for answer in answers:
        gateway.answer(200, answer)
    ran = xunwen(*command, "notes", str(file))
    assert (ran.code, ran.err) == (0, "")
    assert gateway.asked[-1].method == "PUT"
    assert b"\xef\xbb\xbf" not in gateway.asked[-1].body
    assert b"ufeff" not in gateway.asked[-1].body


@pytest.mark.parametrize(("command", "text", "answers"), COMMANDS)
def test_a_file_in_another_charset_is_refused_in_one_line(
    command: tuple[str, ...],
    text: str,
    answers: list[dict[str, object]],
    gateway: ScriptedGateway,
    xunwen: Xunwen,
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(text.encode("gb18030"))
    for answer in answers:
        gateway.answer(200, answer)
    ran = xunwen(*command, "notes", str(file))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("xunwen: a.txt is no ")
    assert "in UTF-8" in ran.err
    assert ran.err.count("\n") == 1
    assert [one for one in gateway.asked if one.method == "PUT"] == []
