"""`xunwen eval own`: every form of judgements, and comparisons that say who got worse."""

import gzip
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from services.common.documents import text_id
from tests.stack import PAPERS, Stack
from tests.training.literature import write_literature
from training.cli.evaluate import app
from training.evaluation import legs
from training.evaluation.comparison import (
    SavedRun,
    compare,
    holm,
    judge,
    load_run,
    losses,
    randomisation,
    save_run,
)
from training.evaluation.judgements import read_corpus, read_judged
from training.evaluation.metrics import NAMES, per_query
from training.failures import DataInvalid

_DOCUMENTS = {
    "d1": "国有企业改革",
    "d2": "海洋生态保护",
    "d3": "水稻种植技术",
    "d4": "城市交通规划",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The same queries as BEIR, as TREC, and as pairs; corpora with ids and as plain lines."""
    (tmp_path / "beir" / "qrels").mkdir(parents=True)
    rows = [{"_id": key, "title": title, "text": ""} for key, title in _DOCUMENTS.items()]
    _write(tmp_path / "beir" / "corpus.jsonl", [json.dumps(row) for row in rows])
    queries = {"q1": "企业改革", "q2": "水稻", "q3": "没有判断"}
    _write(
        tmp_path / "beir" / "queries.jsonl",
        [json.dumps({"_id": key, "text": text}) for key, text in queries.items()],
    )
    judged = [("q1", "d1", 2), ("q1", "d4", 0), ("q2", "d3", 1)]
    _write(
        tmp_path / "beir" / "qrels" / "test.tsv",
        ["query-id\tcorpus-id\tscore", *(f"{q}\t{d}\t{grade}" for q, d, grade in judged)],
    )
    _write(tmp_path / "queries.tsv", [f"{key}\t{text}" for key, text in queries.items()])
    _write(tmp_path / "qrels.trec", [f"{q} 0 {d} {grade}" for q, d, grade in judged])
    _write(tmp_path / "pairs.tsv", ["企业改革\t国有企业改革", "水稻\t水稻种植技术", "坏"])
    _write(tmp_path / "test.csv", ["企业改革,国有企业改革", "水稻,水稻种植技术"])
    _write(tmp_path / "corpus.csv", [*_DOCUMENTS.values()])
    return tmp_path


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_forms_of_the_field_say_the_same(folder: Path) -> None:
    beir = read_judged(folder / "beir", None, None)
    trec = read_judged(
        folder / "queries.tsv", folder / "qrels.trec", folder / "beir" / "corpus.jsonl"
    )
    assert beir.qrels == trec.qrels == {"q1": {"d1": 2, "d4": 0}, "q2": {"d3": 1}}
    assert beir.task.queries == trec.task.queries
    assert [query.relevant for query in beir.task.queries] == [(0,), (2,)]
    for name in ("pairs.tsv", "test.csv"):
        pairs = read_judged(folder / name, None, folder / "corpus.csv")
        assert [query.relevant for query in pairs.task.queries] == [(0,), (2,)]
        assert pairs.qrels["水稻"] == {text_id("水稻种植技术"): 1}
    # A corpus may be any file that `xunwen index` reads; a line that is no judgement is left out.
    rows = "".join(f"{key},{title}\n" for key, title in _DOCUMENTS.items())
    (folder / "corpus.csv.gz").write_bytes(gzip.compress(f"id,title\n{rows}".encode()))
    with (folder / "beir" / "qrels" / "test.tsv").open("a", encoding="utf-8") as qrels:
        qrels.write("q1\td2\tvery\n")
    table = read_judged(folder / "beir", None, folder / "corpus.csv.gz")
    assert (table.qrels, table.task.queries) == (beir.qrels, beir.task.queries)


@pytest.mark.parametrize(
    ("queries", "qrels", "corpus", "message"),
    [
        ("pairs.tsv", None, None, "give --corpus"),
        ("pairs.tsv", "qrels.trec", None, "no usable line"),
        ("queries.tsv", "absent", None, "does not exist"),
        ("queries.tsv", "pairs.tsv", None, "no usable line"),
    ],
)
def test_what_does_not_fit_is_one_line(
    queries: str, qrels: str | None, corpus: str | None, message: str, folder: Path
) -> None:
    given = [folder / name if name else None for name in (qrels, corpus)]
    if queries == "pairs.tsv" and qrels:
        (folder / queries).write_text("a line without a tab\n", "utf-8")
    with pytest.raises(DataInvalid, match=message):
        read_judged(folder / queries, *given)


@pytest.mark.parametrize(
    ("qrels", "said"),
    [
        (["q1 0 d1 1", "q2 0 d3 1", "q3 0 d2 1"], None),
        (["q1\t0\t d1\t1", "q2 \td3 \t 1 ", "q3\t0\td2 \t1"], None),
        (
            ["q1 0 d1 1", "q2 0 d3 1", "q3 0 d2 0", "q3 0 d1 -1"],
            "queries: 1 of 3 judged queries have no judgement above 0 and count as not found",
        ),
        (
            ["q1 0 d1 1", "q2 0 d3 0", "q3 0 d2 1", "q2 0 d3 1", "q2 0 d3 1"],
            "qrels.trec: 1 judgements repeat a query and document with another grade;"
            " the last one counts",
        ),
        (
            ["q1 0 d1 1", "q2 0 d3 1", "q3\t0\td2\t1", "q1\t0\t \t1", "\td2\t1"],
            "qrels.trec: 3 read, 2 malformed (line 4: no id of a query or of a document;"
            " line 5: no id of a query or of a document)",
        ),
        (["q1 0 d1 1", "q3 0 d2 1"], "queries: 1 of 3 queries have no judgements"),
        (
            ["q1 0 d1 1", "q1 0 gone 0", "q2 0 other 1", "q3 0 other 1"],
            "queries: 2 of 3 judged documents are not in the corpus",
        ),
        (
            ["q1 0 d1 1", "q1 0 gone 1"],
            "queries: 2 of 3 queries have no judgements;"
            " 1 of 2 judged documents are not in the corpus",
        ),
    ],
)
def test_what_the_judgements_leave_out_is_said(
    qrels: list[str], said: str | None, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _write(folder / "qrels.trec", qrels)
    read_judged(folder / "queries.tsv", folder / "qrels.trec", folder / "beir" / "corpus.jsonl")
    assert _warnings(caplog) == ([said] if said else [])


def test_a_cell_that_is_too_long_for_a_table_is_named(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _write(folder / "test.csv", ["企业改革,国有企业改革", f"{'水' * 140_000},水稻种植技术"])
    assert len(read_judged(folder / "test.csv", None, folder / "corpus.csv").qrels) == 1
    assert "test.csv: 1 read, 1 malformed (line 2: no line of a table" in "".join(_warnings(caplog))


@pytest.mark.parametrize("qrels", [["q1 0 1 1", "q2 0 3 2"], ["q1 0 d1 0", "q2 0 3 1"]])
def test_judgements_of_another_corpus_are_refused(qrels: list[str], folder: Path) -> None:
    _write(folder / "qrels.trec", qrels)
    given = [str(folder / name) for name in ("queries.tsv", "qrels.trec", "beir/corpus.jsonl")]
    options = ["own", given[0], "--qrels", given[1], "--corpus", given[2]]
    result = CliRunner().invoke(app, options)
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    assert "no judgement above 0 in" in result.output
    # Without a corpus the documents are those of a collection, which are not known here.
    assert len(read_judged(folder / "queries.tsv", folder / "qrels.trec", None).qrels) == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("whole.csv", "id,title\nd1,甲\nd2,乙\n", []),
        (
            "table.csv",
            "id,title\nd1,甲\n,乙\nd2,\nd1,丙\n",
            ["1 of 2 ids are repeated", "table.csv: 2 read, 2 malformed (line 3: "],
        ),
        (
            "rows.jsonl",
            '{"id": "d1", "title": "甲"}\n{"id": "d2"}\n{"id": "d1", "title": "丙"}\n',
            ["1 of 2 ids are repeated", "rows.jsonl: 2 read, 1 malformed (line 2: "],
        ),
        ("texts.txt", "甲文\n乙文\n甲文\n", ["texts.txt: 1 of 3 ids are repeated"]),
    ],
)
def test_rows_that_a_corpus_loses_are_said(
    name: str, content: str, said: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    corpus = read_corpus(tmp_path / name)
    warnings = _warnings(caplog)
    assert len(warnings) == len(said)
    for part in said:
        assert any(part in message for message in warnings), warnings
    if len(said) == 2:
        assert (corpus.ids, corpus.titles) == (("d1",), ("丙",))


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.json"])
def test_a_body_is_the_text_of_a_document_without_another(name: str, tmp_path: Path) -> None:
    rows = [{"id": "a", "title": "甲", "body": "正文甲"}, {"id": "b", "body": "正文乙"}]
    lines = [json.dumps(row) for row in rows]
    path = tmp_path / name
    path.write_text("\n".join(lines) if name.endswith("l") else f"[{','.join(lines)}]", "utf-8")
    corpus = read_corpus(path)
    assert corpus.texts == ("正文甲", "正文乙")


def test_a_corpus_without_documents_is_refused(tmp_path: Path) -> None:
    for name, content in {"none.csv": "id,title\n,甲\n", "empty.txt": ""}.items():
        (tmp_path / name).write_text(content, "utf-8")
        with pytest.raises(DataInvalid, match="no usable line"):
            read_corpus(tmp_path / name)


def test_a_worse_run_is_told_and_exits_with_1(folder: Path, models: Path) -> None:
    def run(*options: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["own", str(folder / "beir"), *options])
        return result.exit_code, result.output

    saved = str(folder / "saved.json")
    code, printed = run("--save", saved)
    assert (code, "| BM25 | 100.0 |" in printed) == (0, True)
    code, printed = run("--encoder", str(models / "encoder"), "--against", saved)
    assert code == 0
    assert "| BM25 | MRR@10 | 100.0 | 100.0 | +0.0 | 1.000 |" in printed
    _write(
        folder / "beir" / "qrels" / "test.tsv",
        ["query-id\tcorpus-id\tscore", "q1\td1\t1", "q2\td2\t1"],
    )
    code, printed = run("--against", saved)
    assert code == 1
    assert "Worse by more than 1.0 points of MRR@10: BM25" in printed
    assert "1.00 -> 0.00  水稻" in printed
    page = folder / "report.html"
    assert run("--against", saved, "--tolerance", "60", "--report", str(page))[0] == 0
    report = page.read_text("utf-8")
    assert report.count("<svg") == 2, "a curve of recall and one of differences"
    assert report.index("Worst losses") < report.index("<td>水稻</td>")
    assert "No row lost more than is tolerated." in report
    code, printed = run("--against", str(folder / "pairs.tsv"))
    assert (code, "is no run that --save wrote" in printed) == (1, True)


def test_one_file_is_compared_with_and_then_written_anew(folder: Path) -> None:
    saved = folder / "saved.json"

    def run(*options: str) -> int:
        return CliRunner().invoke(app, ["own", str(folder / "beir"), *options]).exit_code

    assert run("--save", str(saved)) == 0
    before = saved.read_text("utf-8")
    _write(
        folder / "beir" / "qrels" / "test.tsv",
        ["query-id\tcorpus-id\tscore", "q1\td1\t1", "q2\td2\t1"],
    )
    assert run("--save", str(saved), "--against", str(saved)) == 1
    assert saved.read_text("utf-8") != before
    assert run("--save", str(saved), "--against", str(saved)) == 0
    assert [path.name for path in folder.glob("*saved*")] == ["saved.json"], "no draft is left"


def test_one_folder_is_compared_with_and_then_written_anew(tmp_path: Path) -> None:
    write_literature(tmp_path)
    kept = tmp_path / "kept"
    command = ["offline", "--data-dir", str(tmp_path), "--tasks", "keywords_to_title"]
    command += ["--save", str(kept)]
    assert CliRunner().invoke(app, command).exit_code == 0
    saved = kept / "keywords_to_title.json"
    content = json.loads(saved.read_text("utf-8"))
    for values in content["rows"]["BM25"].values():
        values[:] = [1.5] * len(values)
    saved.write_text(json.dumps(content), "utf-8")
    command += ["--against", str(kept)]
    assert CliRunner().invoke(app, command).exit_code == 1
    assert CliRunner().invoke(app, command).exit_code == 0


@pytest.mark.parametrize("command", ["own", "offline"])
def test_a_wrong_earlier_run_ends_before_anything_is_measured(
    command: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*_given: object) -> None:
        raise AssertionError("measured")

    monkeypatch.setattr(legs, "rank_with_words", measured)
    write_literature(tmp_path)
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    file = earlier / "keywords_to_title.json"
    file.write_text("no run", "utf-8")
    given, against = {
        "own": ([str(folder / "beir")], file),
        "offline": (["--data-dir", str(tmp_path), "--tasks", "keywords_to_title"], earlier),
    }[command]
    result = CliRunner().invoke(app, [command, *given, "--against", str(against)])
    assert result.exit_code == 1
    assert "is no run that --save wrote" in result.output


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--filter", "{}"], "--filter is for a running system"),
        (["--gateway", "http://127.0.0.1:1"], "--gateway is for a running system"),
        (["--collection", "papers", "--encoder", "models"], "--encoder is for --corpus"),
        (["--collection", "papers", "--ranker", "models"], "--ranker is for --corpus"),
        (["--collection", "papers", "--cache", "kept"], "--cache is for --corpus"),
    ],
)
def test_an_option_without_effect_is_refused(options: list[str], named: str, folder: Path) -> None:
    result = CliRunner().invoke(app, ["own", str(folder / "beir"), *options])
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    assert named in result.output


def test_a_query_that_no_collection_takes_is_named(folder: Path) -> None:
    with (folder / "queries.tsv").open("a", encoding="utf-8") as queries:
        queries.write(f"q9\t{'水' * 2001}\n")
    with (folder / "qrels.trec").open("a", encoding="utf-8") as qrels:
        qrels.write("q9 0 d1 1\n")
    given = ["own", str(folder / "queries.tsv"), "--qrels", str(folder / "qrels.trec")]
    given += ["--collection", "papers", "--gateway", "http://127.0.0.1:1"]
    result = CliRunner().invoke(app, [*given, "--recall", "http://127.0.0.1:1"])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1), result.output
    assert "1 queries have more than the 2,000 characters" in result.stderr
    assert "the first is 'q9'" in result.stderr


def test_files_are_written_into_folders_that_do_not_exist_yet(folder: Path) -> None:
    new = folder / "new"
    options = ["--report", str(new / "a" / "r.html"), "--save", str(new / "s" / "r.json")]
    result = CliRunner().invoke(app, ["own", str(folder / "beir"), *options])
    assert result.exit_code == 0, result.output
    write_literature(folder)
    options = ["--report", str(new / "b" / "r.html"), "--json-file", str(new / "c" / "r.json")]
    command = ["offline", "--data-dir", str(folder), "--tasks", "keywords_to_title", *options]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    written = sorted(str(path.relative_to(new)) for path in new.rglob("r.*"))
    assert written == ["a/r.html", "b/r.html", "c/r.json", "s/r.json"]


@pytest.mark.parametrize(
    "command",
    [
        ["own", "BEIR", "--report", "FOLDER"],
        ["own", "BEIR", "--save", "FOLDER"],
        ["offline", "--data-dir", "FOLDER", "--tasks", "keywords_to_title", "--report", "FOLDER"],
        ["offline", "--data-dir", "FOLDER", "--json-file", "FOLDER"],
        ["offline", "--data-dir", "none"],
        ["online", "--data-dir", "none"],
        ["blend", "--data-dir", "none", "--encoder", "ENCODER", "--ranker", "RANKER"],
        ["blend", "--data-dir", "FOLDER", "--encoder", "none"],
        ["offline", "--data-dir", "FOLDER", "--tasks", ","],
    ],
    ids=" ".join,
)
def test_what_cannot_be_written_or_measured_is_one_line(
    command: list[str], folder: Path, models: Path
) -> None:
    write_literature(folder)
    named = {
        "BEIR": folder / "beir",
        "FOLDER": folder,
        "ENCODER": models / "encoder",
        "RANKER": models / "ranker",
    }
    result = CliRunner().invoke(app, [str(named.get(word, word)) for word in command])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1, result.output
    assert result.stderr.strip()


def test_a_collection_is_asked_phase_by_phase(stack: Stack, tmp_path: Path) -> None:
    papers = [json.loads(line) for line in PAPERS.read_text("utf-8").splitlines()[:40]]
    discipline = papers[0]["fields"]["discipline"]
    asked = [papers[0], next(each for each in papers if each["fields"]["discipline"] != discipline)]
    _write(tmp_path / "queries.tsv", [f"{each['id']}\t{each['title']}" for each in asked])
    _write(tmp_path / "qrels.trec", [f"{each['id']} 0 {each['id']} 1" for each in asked])
    given = ["eval", "own", str(tmp_path / "queries.tsv"), "--collection", "literature"]
    given += ["--qrels", str(tmp_path / "qrels.trec")]
    saved = str(tmp_path / "all.json")
    every = stack.xunwen(*given, "--save", saved)
    assert every.returncode == 0, every.stderr
    for row in ("BM25", "dense", "hybrid", "+ coarse", "+ fine", "+ rerank"):
        assert f"| {row} | 100.0 |" in every.stdout
    # The filter leaves the other paper out, so its query finds nothing.
    one = stack.xunwen(
        *given, "--filter", json.dumps({"discipline": discipline}), "--against", saved
    )
    assert one.returncode == 1
    assert "| + rerank | 50.0 |" in one.stdout
    assert f"1.00 -> 0.00  {asked[1]['title']}" in one.stdout
    nowhere = stack.xunwen(*given[:3], "--collection", "nowhere", *given[5:])
    assert (nowhere.returncode, nowhere.stderr.count("\n")) == (1, 1), nowhere.stderr


def test_a_run_equals_its_own_file(tmp_path: Path) -> None:
    qrels = {f"q{number}": {"a": 1, "b": 1, "c": 1} for number in range(12)}
    answers = {key: [*"xyz"[: at % 4], "a"] for at, key in enumerate(qrels)}
    run = SavedRun({key: key for key in qrels}, {"row": per_query(qrels, answers)})
    save_run(tmp_path / "run.json", run)
    verdict = judge(load_run(tmp_path / "run.json"), run, tolerance=0)
    assert not verdict.changed
    assert {(change.difference, change.p) for change in verdict.changes} == {(0, 1)}


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run["rows"]["row"].pop("R@50"),
        lambda run: run["rows"]["row"]["MRR@10"].pop(),
        lambda run: run["rows"]["row"].update({"MRR@10": 1.0}),
        lambda run: run["queries"].pop(),
        lambda run: run.update(format=2),
        lambda run: run.pop("queries"),
    ],
)
def test_a_saved_run_of_another_form_is_refused(
    change: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    values = per_query({"x": {"a": 1}, "y": {"a": 1}}, {"x": ["a"], "y": ["b", "a"]})
    path = tmp_path / "run.json"
    save_run(path, SavedRun({"x": "x", "y": "y"}, {"row": values}))
    load_run(path)
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(DataInvalid, match="is no run that --save wrote in this version"):
        load_run(path)


def test_what_only_one_run_has_is_said(folder: Path, models: Path) -> None:
    def run(*options: str) -> str:
        result = CliRunner().invoke(app, ["own", str(folder / "beir"), *options])
        assert result.exit_code == 0, result.output
        return result.output

    saved, page = str(folder / "saved.json"), folder / "report.html"
    run("--save", saved, "--encoder", str(models / "encoder"))
    assert "are compared" not in run("--against", saved, "--encoder", str(models / "encoder"))
    with (folder / "beir" / "qrels" / "test.tsv").open("a", encoding="utf-8") as qrels:
        qrels.write("q3\td2\t1\n")
    said = (
        "Only the queries of both runs are compared: 2 of 2 earlier and 3 present ones.",
        "Only the rows of both runs are compared: 1 of 4 earlier and 1 present ones.",
        "This run lacks rows of the earlier one: dense, hybrid, hybrid (RRF).",
    )
    printed = run("--against", saved, "--tolerance", "100", "--report", str(page))
    for sentence in said:
        assert sentence in printed
        assert f"<p>{sentence}</p>" in page.read_text("utf-8")


@pytest.mark.parametrize("lost", [1, 3, 7, 10])
def test_a_row_may_lose_just_the_tolerance(lost: int) -> None:
    """There are 100 queries, so that each is one point."""
    queries = {f"q{at}": "" for at in range(100)}

    def run(found: int) -> SavedRun:
        values = np.repeat([1.0, 0.0], [found, 100 - found])
        return SavedRun(queries, {"row": dict.fromkeys(NAMES, values)})

    assert judge(run(50), run(50 - lost), tolerance=lost).worse == []
    assert judge(run(50), run(50 - lost), tolerance=lost - 0.01).worse == ["row"]


def test_randomisation_is_exact_for_few_differences() -> None:
    """All of n differences of one sign: two of the 2^n sign patterns are as extreme."""
    before = np.zeros(20)
    now = np.concatenate([np.ones(5), np.zeros(15)])
    assert randomisation(before, now) == pytest.approx(2 / 2**5, abs=0.01)
    assert randomisation(now, before) == randomisation(before, now)
    assert randomisation(now, now) == 1
    mixed = np.where(np.arange(20) % 2, 0.5, -0.5)
    assert randomisation(before, mixed) > 0.9


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_queries_are_matched_by_id_not_by_place() -> None:
    def run(answers: dict[str, list[str]]) -> SavedRun:
        qrels = {key: {"a": 1} for key in answers}
        values = per_query(qrels, answers)
        return SavedRun({key: f"text of {key}" for key in answers}, {"row": values})

    before = run({"x": ["a"], "y": ["b", "a"], "gone": ["a"]})
    now = run({"new": ["a"], "y": ["a"], "x": ["b", "a"]})
    main = next(change for change in compare(before, now) if change.measure == "MRR@10")
    assert (main.before, main.now) == (0.75, 0.75)
    assert [loss.query for loss in losses(before, now, "row")] == ["text of x", "text of y"]
    with pytest.raises(DataInvalid, match="none of these queries"):
        compare(run({"z": ["a"]}), now)
