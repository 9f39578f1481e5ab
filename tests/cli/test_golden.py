"""Golden queries from files on the command line."""

from pathlib import Path

import pytest

from tests.cli.conftest import Xunwen
from tests.client.scripted import ScriptedGateway

PATH = "/v1/collections/notes/golden-queries"


def line(text: str) -> bytes:
    return text.encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        (line('{"query": "水稻病害", "ids": ["a", "b"]}'), {"水稻病害": ["a", "b"]}),
        (line('{"query": "水稻病害", "ids": [1, "b"]}'), {"水稻病害": ["1", "b"]}),
        (line('{"query": "a", "shown": ["x", "y"], "clicked": "y"}'), {"a": ["y"]}),
        (line('{"query": "a", "clicked": 7}'), {"a": ["7"]}),
        (
            line('{"query": "a", "clicked": "x"}')
            + line('{"query": "b", "clicked": "y"}')
            + line("")
            + line('{"query": "a", "clicked": "z"}')
            + line('{"query": "a", "clicked": "x"}'),
            {"a": ["x", "z"], "b": ["y"]},
        ),
        (b"\xef\xbb\xbf" + line('{"query": "a", "ids": ["x"]}'), {"a": ["x"]}),
        (b'{"query": "a", "ids": ["x"]}\r\n', {"a": ["x"]}),
        (line('{"query": "a\u2028b", "ids": ["x"]}'), {"a\u2028b": ["x"]}),
        (b"", {}),
    ],
)
def test_a_file_of_golden_queries(
    content: bytes,
    sent: dict[str, list[str]],
    gateway: ScriptedGateway,
    xunwen: Xunwen,
    tmp_path: Path,
) -> None:
    file = tmp_path / "golden.jsonl"
    file.write_bytes(content)
    queries = [{"query": query, "ids": ids} for query, ids in sent.items()]
    gateway.answer(200, {"queries": queries})
    ran = xunwen("collections", "golden", "notes", str(file))
    assert (ran.code, ran.err, ran.out) == (0, "", f"{len(sent)} golden queries\n")
    assert (gateway.asked[0].method, gateway.asked[0].path) == ("PUT", PATH)
    assert gateway.asked[0].json == {"queries": queries}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (line('{"query": "a", "ids": "paper-1"}'), "line 1: ids: Input should be a valid list"),
        (line('{"query": "a", "ids": null}'), "line 1: ids: Input should be a valid list"),
        (line('{"query": "a", "ids": []}'), "line 1: ids: "),
        (line('{"query": "a", "ids": [["x"]]}'), "line 1: ids.0: "),
        (line('{"query": "a", "ids": [1.5]}'), "line 1: ids.0: "),
        (line('{"query": "a", "clicked": null}'), "line 1: ids.0: "),
        (line('{"query": "a", "clicked": ["x"]}'), "line 1: ids.0: "),
        (line('{"query": "", "ids": ["x"]}'), "line 1: query: "),
        (line('{"query": 3, "ids": ["x"]}'), "line 1: query: "),
        (line('{"ids": ["x"]}'), "line 1: query: "),
        (line('{"query": "a"}'), "line 1: a JSON object with `query` and `ids` (or `clicked`)"),
        (line('{"query": "a", "ids": ["x"]}') + line("[1]"), "line 2: a JSON object with"),
        (line("\n{"), "line 2: a JSON object with"),
        ('{"query": "水稻病害", "ids": ["a"]}\n'.encode("gb18030"), "save it as UTF-8"),
        ("{}".encode("utf-16"), "save it as UTF-8"),
    ],
)
def test_a_file_that_holds_none_is_refused_in_one_line(
    content: bytes, says: str, gateway: ScriptedGateway, xunwen: Xunwen, tmp_path: Path
) -> None:
    file = tmp_path / "golden.jsonl"
    file.write_bytes(content)
    ran = xunwen("collections", "golden", "notes", str(file))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("xunwen: golden.jsonl")
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert gateway.asked == []


def test_the_present_ones_are_shown(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    gateway.answer(200, {"queries": [{"query": "[水稻]", "ids": ["a", "b"]}]})
    assert xunwen("collections", "golden", "notes").out == "[水稻]  a b\n"
    assert (gateway.asked[0].method, gateway.asked[0].path) == ("GET", PATH)
