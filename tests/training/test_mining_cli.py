"""`mine`: negatives come from the corpus, near to the query and never its answer."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.models import tiny_encoder
from training.cli.mine import app

# Paddle warns while it traces the tiny model.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_lines_for_training(tmp_path: Path) -> None:
    encoder = tiny_encoder(tmp_path / "encoder")
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("国有\t国有企业\n只有一列\n水稻\t水稻种植\n", "utf-8")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("国家所有\n稻田\n海洋\n山川\n", "utf-8")
    output = tmp_path / "mined" / "mined.tsv"
    options = ["--encoder", encoder, "--corpus", corpus, "--negatives", 2, "--ceiling", 1.0]
    arguments = [str(each) for each in (pairs, output, *options)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in output.read_text("utf-8").splitlines()]
    assert f"{len(lines)} of 2 pairs have negatives" in result.stdout
    assert lines
    texts = {"国家所有", "稻田", "海洋", "山川", "国有企业", "水稻种植"}
    for query, title, *negatives in lines:
        assert (query, title) in {("国有", "国有企业"), ("水稻", "水稻种植")}
        assert len(negatives) == 2
        assert set(negatives) <= texts - {title}


def test_titles_make_their_own_queries(tmp_path: Path) -> None:
    encoder = tiny_encoder(tmp_path / "encoder")
    rows = ["国有企业的创新绩效", "海洋生态的保护", "水稻种植的技术", "城市交通的规划"]
    titles = tmp_path / "titles.jsonl"
    lines = [json.dumps({"id": f"t{at}", "title": title}) for at, title in enumerate(rows)]
    titles.write_text("\n".join(lines), "utf-8")
    held_out = tmp_path / "papers.jsonl"
    held_out.write_text(lines[3], "utf-8")
    output = tmp_path / "lists.tsv"
    options = ["--encoder", encoder, "--negatives", 1, "--ceiling", 1.0, "--sample", 2]
    arguments = [titles, output, "--exclude", held_out, *options]
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    assert "of 2 pairs have negatives" in result.stdout
    for line in output.read_text("utf-8").splitlines():
        query, title, negative = line.split("\t")
        assert set(query.split()) <= {title.partition("的")[0], title.partition("的")[2]}
        assert {title, negative} <= {*rows[:3]}


def test_lists_of_ids(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    encoder = tiny_encoder(tmp_path / "encoder")
    queries, corpus = tmp_path / "natural.tsv", tmp_path / "abstracts.jsonl"
    subjects = ["国有企业", "民营经济", "海洋生态", "水稻种植"]
    queries.write_text(
        "".join(f"ask\t{text[:2]}\tp{at}\n" for at, text in enumerate(subjects)) + "en\tx\tp9\n",
        "utf-8",
    )
    corpus.write_text(
        "".join(
            json.dumps({"id": f"p{at}", "title": text, "abstract": f"本文讨论{text}"}) + "\n"
            for at, text in enumerate(subjects)
        ),
        "utf-8",
    )
    output = tmp_path / "lists.tsv"
    command = [str(queries), str(output), "--ids", "--encoder", str(encoder), "--ceiling", "1"]
    given = [*command, "--corpus", str(corpus), "--negatives", "3", "--least", "1", "--last", "3"]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    # The query of p9 has no document; nobody would notice if it were most of them.
    assert "natural.tsv: 1 lines were left out; their id is of no document" in caplog.text
    for line in output.read_text("utf-8").splitlines():
        query, answer, *negatives = line.split("\t")
        assert subjects[int(answer[1])].startswith(query)
        assert 1 <= len(negatives) <= 3
        assert set(negatives) <= {"p0", "p1", "p2", "p3"} - {answer}
    result = CliRunner().invoke(app, [*given, "--exclude", str(corpus)])
    assert (result.exit_code, "no line" in result.stderr) == (1, True)
    result = CliRunner().invoke(app, command)
    assert (result.exit_code, "--ids needs --corpus" in result.stderr) == (1, True)


def _mined(folder: Path, *arguments: object) -> list[list[str]]:
    output = folder / "lists.tsv"
    given = [output, "--encoder", tiny_encoder(folder / "encoder"), "--ceiling", 1, "--least", 1]
    result = CliRunner().invoke(app, [str(each) for each in [arguments[0], *given, *arguments[1:]]])
    assert result.exit_code == 0, result.output
    return [line.split("\t") for line in output.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("form", ["txt", "jsonl"])
def test_excluded_papers_are_no_negatives_of_texts(
    form: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pairs, corpus, papers = (tmp_path / name for name in ("p.tsv", f"c.{form}", "papers.jsonl"))
    pairs.write_text("水稻\t水稻种植\n稻田\t水稻：育种\n山川\t海洋\n", "utf-8")
    texts = ["水稻种植法", "水稻的病害", "水稻收割", "山川"]
    abstract = "水稻摘要"
    if form == "jsonl":
        rows = [{"title": text, "abstract": "别的摘要"} for text in texts]
        rows.append({"title": "水稻新题", "abstract": abstract})
        lines = [json.dumps(row) for row in rows]
    else:
        lines = [*texts, abstract]
    corpus.write_text("\n".join(lines), "utf-8")
    paper = {"id": "e", "title": "水稻的 病害", "abstract": abstract}
    asked = {"id": "f", "title": "稻田"}
    papers.write_text(f"{json.dumps(paper)}\n{json.dumps(asked)}\n", "utf-8")
    lists = _mined(tmp_path, pairs, "--corpus", corpus, "--exclude", papers, "--last", 9)
    assert "p.tsv: 1 lines were left out; they show a paper of --exclude" in caplog.text
    assert [query for query, *_ in lists] == ["水稻", "山川"], "a query for a paper is left out"
    negatives = {negative for _, _, *several in lists for negative in several}
    assert negatives
    assert negatives.isdisjoint({"水稻的病害", "水稻新题", abstract, "水稻：育种"})


def test_an_answer_that_a_sample_left_out_is_no_negative(tmp_path: Path) -> None:
    queries, corpus = tmp_path / "natural.tsv", tmp_path / "corpus.jsonl"
    rows = [f"水稻{sign}" for sign in "甲乙丙丁戊己"]
    corpus.write_text(
        "".join(json.dumps({"id": f"d{at}", "title": row}) + "\n" for at, row in enumerate(rows)),
        "utf-8",
    )
    right = {f"d{at}" for at in range(4)}
    # One query has four answers, each of which answers another query too.
    lines = [f"水稻\t{key}\n" for key in sorted(right)]
    lines += [f"{row}\td{at}\n" for at, row in enumerate(rows)]
    queries.write_text("".join(lines), "utf-8")
    for sample in (4, 6, 8):
        options = ("--ids", "--corpus", corpus, "--sample", sample, "--last", 6)
        for query, _, *negatives in _mined(tmp_path, queries, *options):
            assert query != "水稻" or right.isdisjoint(negatives)
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"水稻\t{row}\n" for row in rows[:4]), "utf-8")
    others = tmp_path / "others.txt"
    others.write_text("水稻戊\n水稻己\n", "utf-8")
    for sample in (1, 2):
        lists = _mined(tmp_path, pairs, "--corpus", others, "--sample", sample, "--last", 6)
        assert len(lists) == sample
        for _, _, *negatives in lists:
            assert set(negatives) <= {"水稻戊", "水稻己"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--last", "3", "--negatives", "5"], "raise --last"),
        (["--encoder", "no-such"], "no-such"),
    ],
)
def test_what_cannot_be_is_one_clear_line(options: list[str], message: str, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("国有\t国有企业\n", "utf-8")
    result = CliRunner().invoke(app, [str(pairs), str(tmp_path / "out.tsv"), *options])
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.strip().count("\n") == 0
