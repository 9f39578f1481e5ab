"""Files that commands read, and those that they write."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Xunwen
from tests.client.scripted import ScriptedGateway
from xunwen.cli.context import write_file
from xunwen.client import XunwenError

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


@pytest.mark.parametrize("place", [".", "folder", "pipe"])
def test_what_is_no_file_is_not_replaced(
    place: str,
    gateway: ScriptedGateway,
    xunwen: Xunwen,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The superuser of a container would lose /dev/stdout."""
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    os.mkfifo("pipe")
    Path("link").symlink_to(place)
    for name in (place, "link"):
        ran = xunwen("docs", "original", "1", "-c", "notes", "-o", name)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == f"xunwen: {name} is no file; name a file to write.\n"
    assert gateway.asked == []
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe", "link"}
    assert Path("pipe").is_fifo()


@pytest.mark.parametrize("output", ["名" * 100, "a.txt/b.pdf", "none/b.pdf"])
def test_a_file_that_cannot_be_written_is_told_in_one_line(
    output: str,
    gateway: ScriptedGateway,
    xunwen: Xunwen,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("kept")
    gateway.answer(200, b"%PDF")
    ran = xunwen("docs", "original", "1", "-c", "notes", "-o", output)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"xunwen: {output} cannot be written: ")
    assert ran.err.count("\n") == 1
    assert Path("a.txt").read_text() == "kept"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file, link, beside = tmp_path / ("长" * 84), tmp_path / "link", tmp_path / "link.part"
    file.write_bytes(b"old")
    link.symlink_to(file)
    beside.write_bytes(b"mine")

    def broken() -> Iterator[bytes]:
        yield b"new"
        raise XunwenError("The connection broke.")

    for target in (file, link):
        with pytest.raises(XunwenError, match="broke"):
            write_file(target, broken())
        assert file.read_bytes() == b"old"
    write_file(link, [b"new", b"er"])
    assert link.is_symlink()
    assert file.read_bytes() == b"newer"
    assert beside.read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 3


def test_two_may_write_one_file_at_once(tmp_path: Path) -> None:
    """The last one that ends wins, with all of its own content."""
    file = tmp_path / "a.jsonl"

    def others() -> Iterator[bytes]:
        yield b"first, "
        write_file(file, [b"second"])
        assert file.read_bytes() == b"second"
        yield b"whole"

    write_file(file, others())
    assert file.read_bytes() == b"first, whole"


@pytest.mark.parametrize(
    "words",
    [
        ("search", "q", "--filter"),
        ("docs", "put", "-c", "notes"),
        ("rules", "set", "notes", "FILE"),
        ("collections", "golden", "notes", "FILE"),
    ],
)
def test_json_that_is_nested_too_deeply_is_told(
    words: tuple[str, ...], gateway: ScriptedGateway, xunwen: Xunwen, tmp_path: Path
) -> None:
    deep = '{"a":' * 50_000
    file = tmp_path / "a.json"
    file.write_text(deep)
    named = [str(file) if word == "FILE" else word for word in words]
    ran = xunwen(*named, *(() if "FILE" in words else (deep,)))
    assert ran.code in (1, 2)
    assert "Traceback" not in ran.err
    assert gateway.asked == []
