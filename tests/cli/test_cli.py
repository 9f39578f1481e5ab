"""What commands print, what they send, and how they end."""

import json
import os
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.core import TyperGroup
from typer.main import get_command

from tests.cli.conftest import Xunwen
from tests.client.scripted import ANSWER, ScriptedGateway, job, problem
from tests.stack import XUNWEN
from xunwen.cli.main import app
from xunwen.client.retries import Patience, Retries

HIT = {
    "id": "1",
    "score": 0.93,
    "title": "语言与文化",
    "text": "比较[方法]的研究",
    "fields": {"discipline": "语言学"},
    "highlights": {"title": ["<em>语言</em>与文化"], "text": ["比较[方法]的<em>研究</em>"]},
    "scores": {"fine": 0.93},
}


def test_search_prints_a_table(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    # Both legs may have found the same candidate.
    stages = [{"name": "fuse", "took_ms": 8, "candidates": 1327}]
    counts = {"total": 1000, "counted": "recalled"}
    gateway.answer(200, {**ANSWER, "hits": [HIT], "stages": stages, "degraded": ["rank"], **counts})
    ran = xunwen("search", "语言", "-k", "3", "-f", '{"discipline": "语言学"}')
    assert ran.code == 0
    for shown in ("0.930", "语言与文化", "比较[方法]的研究", "语言学", "1,000 candidates"):
        assert shown in ran.out
    assert "without: rank" in ran.out
    assert "<em>" not in ran.out
    assert gateway.asked[0].json["filter"] == {"discipline": "语言学"}


def test_json_is_the_answer_itself(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    gateway.answer(200, {**ANSWER, "hits": [HIT]})
    ran = xunwen("search", "语言", "--json")
    assert json.loads(ran.out)["hits"][0]["title"] == "语言与文化"


def test_a_refusal_is_one_line(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    gateway.answer(404, problem(404, "collection_not_found", "There is no collection x.\nMake it."))
    ran = xunwen("search", "语言", "-c", "x")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "xunwen: There is no collection x. Make it.\n"


def test_a_missing_key_says_where_it_goes(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    gateway.answer(401, problem(401, "unauthenticated", "An API key is needed."))
    assert "XUNWEN_API_KEY" in xunwen("collections", "list").err


def test_lines_are_not_wrapped_for_another_program(
    gateway: ScriptedGateway, xunwen: Xunwen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    env = {**os.environ, "XUNWEN_URL": gateway.url}
    title = "关于冻土区铁路路基变形监测的研究" * 20
    documents = [{"id": f"d{n}", "title": title} for n in range(3)]
    gateway.answer(200, {"documents": documents, "next": None})
    ran = subprocess.run(
        [XUNWEN, "docs", "list", "-c", "x"],
        env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.splitlines() == [f"d{n}  {title}" for n in range(3)]
    gateway.script.clear()
    hits = [{"id": f"d{n}", "score": 0.5, "title": title, "fields": {}} for n in range(3)]
    gateway.answer(200, {**ANSWER, "hits": hits})
    ran = subprocess.run(
        [XUNWEN, "search", "冻土"], env=env, capture_output=True, text=True, check=True
    )
    assert ran.stdout.count(title) == 3


TEXT = "冻土区\r\n路基的变形\n" + "监测" * 10_000
LINE = "冻土区 路基的变形 " + "监测" * 10_000


@pytest.mark.parametrize(
    ("words", "answer", "line"),
    [
        (
            "docs list -c x --field text --field year",
            {"documents": [{"id": "d 1", "text": TEXT, "fields": {"year": 1}}], "next": None},
            f"d 1  {LINE}  1\n",
        ),
        (
            "docs similar 1 -c x",
            {
                "id": "1",
                "collection": "x",
                "took_ms": 1,
                "hits": [{"id": "d1", "score": 0.5, "title": TEXT}],
            },
            f"0.500  d1  {LINE}\n",
        ),
        ("jobs errors j1", {"line": 3, "reason": TEXT}, f"line 3: {LINE}\n"),
        (
            "collections golden x",
            {"queries": [{"query": TEXT[:20], "ids": ["1"]}]},
            f"{LINE[:19]}  1\n",
        ),
    ],
)
def test_a_document_is_one_line_for_another_program(
    words: str,
    answer: dict[str, Any],
    line: str,
    gateway: ScriptedGateway,
    xunwen: Xunwen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COLUMNS")
    gateway.answer(200, answer)
    assert xunwen(*words.split()).out == line


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_has_enough_ends_a_command_well(
    options: list[str], gateway: ScriptedGateway
) -> None:
    documents = [{"id": f"d{n}", "title": "题" * 100} for n in range(500)]
    gateway.answer(200, {"documents": documents, "next": "d499"})
    with subprocess.Popen(
        [XUNWEN, "docs", "list", "-c", "x", *options],
        env={**os.environ, "XUNWEN_URL": gateway.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == b""


def test_chosen_members_are_shown(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    fields = {"year": 2020, "keywords": ["冻土", "路基"]}
    gateway.answer(200, {**ANSWER, "hits": [{"id": "a1", "score": 0.5, "fields": fields}]})
    ran = xunwen("search", "冻土", "--field", "year", "--field", "keywords")
    for shown in ("a1", "year: 2020", "keywords: 冻土、路基"):
        assert shown in ran.out
    gateway.script.clear()
    gateway.answer(200, {"documents": [{"id": "a1", "fields": fields}], "next": None})
    ran = xunwen("docs", "list", "-c", "x", "--field", "year", "--field", "keywords")
    assert ran.out == "a1  2020  冻土、路基\n"
    assert "fields=year%2Ckeywords" in gateway.asked[-1].path
    gateway.script.clear()
    gateway.answer(200, {"documents": [{"id": "a1", "title": "题", "fields": {}}], "next": None})
    ran = xunwen("docs", "list", "-c", "x", "--field", "title", "--field", "year")
    assert ran.out == "a1  题  \n"


def test_nobody_answers(xunwen: Xunwen) -> None:
    ran = xunwen("--url", "http://127.0.0.1:1", "collections", "list")
    assert ran.code == 3
    assert "xunwen up" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("search", "a", "--filter", "[1]"),
        ("search", "a", "--filter", "{"),
        ("search", "a", "--mode", "magic"),
        ("docs", "put", "-c", "notes", "{"),
        ("docs", "delete", "-c", "notes"),
        ("jobs", "list", "--state", "done"),
        ("index", "a.csv"),
        ("nonsense",),
    ],
)
def test_wrong_usage_ends_with_2_and_asks_nobody(
    words: tuple[str, ...], gateway: ScriptedGateway, xunwen: Xunwen
) -> None:
    assert xunwen(*words).code == 2
    assert gateway.asked == []


@pytest.mark.parametrize(
    ("state", "code"),
    [("succeeded", 0), ("failed", 1), ("cancelled", 1), ("succeeded_with_errors", 4)],
)
def test_index_ends_as_its_job(
    state: str, code: int, gateway: ScriptedGateway, xunwen: Xunwen, tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id,title\n1,标题\n")
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    gateway.answer(200, job(state, 2))
    ran = xunwen("index", str(file), "--collection", "notes")
    assert ran.code == code
    assert f"job j1 {state}: 2 read, 2 indexed" in ran.out


def test_a_job_that_cannot_be_followed_any_more_goes_on(
    gateway: ScriptedGateway, xunwen: Xunwen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retries, "patience", lambda _: Patience(0.0))
    gateway.answer(200, job("running"))
    gateway.answer(200, b"", content_encoding="gzip", content_length="5")  # no answer can be read
    ran = xunwen("jobs", "watch", "j1")
    assert ran.code == 3
    assert "The job goes on; see `xunwen jobs watch j1`." in ran.err


def test_jobs_and_collections_as_lists(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    gateway.answer(200, {"jobs": [job("running", job_id="j9")], "next": "j9"})
    assert "running" in xunwen("jobs", "list", "-n", "1").out
    assert json.loads(xunwen("jobs", "list", "-n", "1", "--json").out)["id"] == "j9"
    gateway.script[:] = [(200, {"collections": []}, {})]
    assert "no collections" in xunwen("collections", "list").out


def test_jobs_of_one_collection(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    gateway.answer(200, {"jobs": [job("running", job_id="06610ed3319eda3f1234")], "next": None})
    ran = xunwen("jobs", "list", "-c", "notes")
    assert gateway.asked[0].path == "/v1/index-jobs?collection=notes"
    assert "06610ed3319eda3f1234" in ran.out, "an id must be there whole, to be copied"


def test_jobs_in_some_states(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    gateway.answer(200, {"jobs": [job("failed")], "next": None})
    ran = xunwen("jobs", "list", "--state", "failed", "--state", "cancelled")
    assert gateway.asked[0].path == "/v1/index-jobs?state=failed%2Ccancelled"
    assert "failed" in ran.out


def commands(group: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """All commands that do something, with their names."""
    if not isinstance(group, TyperGroup):
        yield " ".join(path), group
        return
    for name, command in group.commands.items():
        yield from commands(command, *path, name)


def test_every_command_speaks_json() -> None:
    online = ("up", "down", "status", "logs", "search", "index", "jobs", "docs", "collections")
    asked = [each for each in commands(get_command(app)) if each[0].split()[0] in online]
    assert len(asked) > 20
    texts = {"docs cite", "docs original", "collections export"}  # what they write has its own form
    for name, command in asked:
        if name in texts:
            continue
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--json" in options, name


def test_the_rejected_lines_of_a_job(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    gateway.answer(200, b'{"line": 3, "reason": "id is missing [1]", "content": "x"}\n')
    assert xunwen("jobs", "errors", "j1").out == "line 3: id is missing [1]\n"


def test_a_document_that_cannot_be_one_is_not_sent(
    gateway: ScriptedGateway, xunwen: Xunwen
) -> None:
    ran = xunwen("docs", "put", "-c", "notes", '{"id": "1"}')
    assert ran.code == 1
    assert "a title, a text or a body is needed" in ran.err
    assert gateway.asked == []


def test_status_where_nothing_runs(
    xunwen: Xunwen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XUNWEN_HOME", str(tmp_path))
    for command in ("status", "down", "logs"):
        ran = xunwen(command)
        assert ran.code == 1
        assert ran.err.startswith("xunwen: ")


def test_the_version(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    ran = xunwen("--version")
    assert (ran.code, ran.out) == (0, f"xunwen {version('xunwen')}\n")
    assert gateway.asked == []


def test_an_unknown_benchmark_is_refused_in_words() -> None:
    ran = subprocess.run([XUNWEN, "bench", "nothing"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "there is no benchmark nothing" in ran.stderr


def test_load_tells_what_was_rejected(
    gateway: ScriptedGateway, xunwen: Xunwen, tmp_path: Path
) -> None:
    matrix, texts = tmp_path / "m.npy", tmp_path / "t.txt"
    np.save(matrix, np.eye(2, dtype=np.float32))
    texts.write_text("甲\n乙\n", "utf-8")
    ended = job("succeeded_with_errors", 1)
    ended["counts"] = {"read": 2, "indexed": 1, "rejected": 1, "deduplicated": 0}
    ended["message"] = "1 of 2 lines were rejected. Once, on line 1: a wrong vector."
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, ended)
    named = ("--texts", str(texts), "--encoder", "0123456789abcdef", "--collection", "x")
    ran = xunwen("load", str(matrix), *named)
    assert (ran.code, ran.out) == (4, "1 documents in x, 1 rejected\n")
    assert "Once, on line 1: a wrong vector." in ran.err
    assert "xunwen jobs errors j1" in ran.err
