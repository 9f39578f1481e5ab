"""Tasks: what is asked, what is relevant, and who is held out."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from training.cli.evaluate import app
from training.data.judged import Form, JudgedExample, read_graded
from training.data.splits import Split, held_out_query, split_of
from training.evaluation.literature import first_sentence, read_natural
from training.evaluation.tasks import DataMissing, load_task
from training.failures import DataInvalid

_PAPERS = [
    {"id": "p0", "title": "甲的研究", "abstract": "甲很好.乙也好.", "keywords": ["甲", "乙"]},
    {"id": "p1", "title": "丙的研究", "abstract": "丙为3.5倍。其他。", "keywords": ["丙"]},
    {"id": "p2", "title": "丙的研究", "abstract": "丙为3.5倍。别的。", "keywords": ["丙"]},
]
_ANSWERS = ("p0", "p1", "t0")
_TITLES = [{"id": "t0", "title": "丁的研究"}, {"id": "t1", "title": "甲的研究"}]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    for name, rows in (
        ("literature_papers.jsonl", _PAPERS),
        ("literature_titles.jsonl", _TITLES),
        ("literature_abstracts.jsonl", [{"id": "a0", "abstract": "戊。"}]),
    ):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("abstract", "sentence"),
    [
        ("甲为乙.丙", "甲为乙"),
        ("甲为3.5倍。丙", "甲为3.5倍"),
        ("用Fig.2说明.丙", "用Fig.2说明"),
        ("结果为5. 丙", "结果为5"),
        ("没有句号", "没有句号"),
        ("。开头是句号。丙", "开头是句号"),
        ("", ""),
    ],
)
def test_first_sentence(abstract: str, sentence: str) -> None:
    assert first_sentence(abstract) == sentence


def test_first_sentence_to_title(data_dir: Path) -> None:
    task = load_task("first_sentence_to_title", data_dir)
    assert [query.text for query in task.queries] == ["甲很好", "丙为3.5倍", "丙为3.5倍"]
    # The same title twice is one document, and both of its papers count it.
    assert task.corpus.titles == ("甲的研究", "丙的研究", "丁的研究")
    assert [query.relevant for query in task.queries] == [(0,), (1,), (1,)]
    assert len({query.id for query in task.queries}) == 3


def test_keywords_to_title(data_dir: Path) -> None:
    assert load_task("keywords_to_title", data_dir).queries[0].text == "甲 乙"


def test_title_to_abstract(data_dir: Path) -> None:
    task = load_task("title_to_abstract", data_dir)
    assert task.corpus.texts[-1] == "戊。"
    assert task.corpus.titles == ("", "", "", "")
    assert [query.relevant for query in task.queries] == [(0,), (1,), (2,)]


def test_the_halves_share_no_paper_and_miss_none(data_dir: Path) -> None:
    asked = [
        {query.id for query in load_task("keywords_to_title", data_dir, split).queries}
        for split in (Split.DEV, Split.TEST)
    ]
    assert not asked[0] & asked[1]
    assert asked[0] | asked[1] == {"p0", "p1", "p2"}


def test_sample_keeps_the_corpus(data_dir: Path) -> None:
    task = load_task("keywords_to_title", data_dir, sample=1)
    assert (len(task.queries), len(task.corpus)) == (1, 3)


def test_general_asks_held_out_queries_only(data_dir: Path) -> None:
    pairs = [(f"问题{number}", f"标题{number}") for number in range(60)]
    pairs += [(query, title + "又") for query, title in pairs]
    lines = [f"{query}\t{title}" for query, title in pairs] + ["no tab", "\tempty"]
    (data_dir / "pairs_general.tsv").write_text("\n".join(lines), "utf-8")
    task = load_task("general", data_dir)
    held_out = {query for query, _ in pairs if held_out_query(query)}
    assert 0 < len(held_out) < 20
    assert {query.text for query in task.queries} == held_out
    assert all(len(query.relevant) == 2 for query in task.queries)
    assert len(task.corpus) == 120


def test_questions_look_for_their_paragraph(data_dir: Path) -> None:
    paragraphs = [
        {"context": f"段落{row}", "qas": [{"question": f"问{row}-{n}"} for n in range(3)]}
        for row in range(10)
    ]
    articles = [{"title": "文", "paragraphs": paragraphs[:4]}, {"paragraphs": paragraphs[4:]}]
    (data_dir / "DRCD_dev.json").write_text(json.dumps({"data": articles}), "utf-8")
    task = load_task("questions", data_dir)
    assert task.corpus.texts == tuple(f"段落{row}" for row in range(10))
    assert [(query.text, query.relevant) for query in task.queries][3:5] == [
        ("问1-0", (1,)),
        ("问1-1", (1,)),
    ]
    assert len({query.id for query in task.queries}) == 30
    few = load_task("questions", data_dir, sample=10)
    assert [query.relevant for query in few.queries] == [(row,) for row in range(10)]


def test_every_eighth_question_of_people_tunes(data_dir: Path) -> None:
    passages = [{"id": f"m{row}", "text": f"段落{row}"} for row in range(20)]
    lines = [f"people\t问{row}\tm{row}\n" for row in range(20)]
    lines[1] = "people\t\tm1\n"
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in passages)
    (data_dir / "people_passages.jsonl").write_text(text, "utf-8")
    (data_dir / "people_questions.tsv").write_text("".join(lines), "utf-8")
    task = load_task("people", data_dir)
    assert [query.text for query in task.queries] == ["问0", "问9", "问17"]
    assert [task.corpus.texts[query.relevant[0]] for query in task.queries] == [
        "段落0",
        "段落9",
        "段落17",
    ]


def test_every_second_natural_query_judges(data_dir: Path) -> None:
    lines = [f"ask\t问{number}\t{_ANSWERS[number % 3]}\n" for number in range(1, 6)]
    (data_dir / "natural_dev.tsv").write_text("".join(lines), "utf-8")
    tuned, judged, every = (load_task("natural", data_dir, split) for split in Split)
    assert [query.text for query in tuned.queries] == ["问2", "问4"]
    assert [query.text for query in judged.queries] == ["问1", "问3", "问5"]
    assert [query.relevant for query in every.queries] == [(1,), (2,), (0,), (1,), (2,)]
    assert {*tuned.queries, *judged.queries} == {*every.queries}


@pytest.mark.parametrize("task", ["natural_others", "title_only"])
def test_every_third_answer_judges(task: str, data_dir: Path) -> None:
    lines = [f"ask\t问{number}\t{_ANSWERS[number // 2]}\n" for number in range(6)]
    (data_dir / f"{task}.tsv").write_text("".join(lines), "utf-8")
    tuned, judged, every = (load_task(task, data_dir, split) for split in Split)
    assert [query.text for query in judged.queries] == ["问0", "问1"]
    assert [query.text for query in tuned.queries] == ["问2", "问3", "问4", "问5"]
    assert {*tuned.queries, *judged.queries} == {*every.queries}


def test_no_shipped_paper_that_judges_is_one_that_the_other_writers_read() -> None:
    data = Path(__file__).parents[2] / "data"
    judged = [
        (task, query.relevant)
        for task in ("natural", "natural_others")
        for query in load_task(task, data, Split.TEST).queries
    ]
    tuned = {query.relevant for query in load_task("natural_others", data, Split.DEV).queries}
    assert not tuned & {relevant for _, relevant in judged}
    papers = load_task("natural_others", data, Split.ALL)
    assert {split_of(papers.corpus.ids[query.relevant[0]]) for query in papers.queries} == {
        Split.DEV
    }


def test_the_shipped_queries_for_titles_are_for_titles_that_no_training_query_is_for() -> None:
    data = Path(__file__).parents[2] / "data"
    task = load_task("title_only", data, Split.ALL)
    answers = {row for query in task.queries for row in query.relevant}
    assert not any(task.corpus.texts[row] for row in answers)
    files = ("natural_titles.tsv", "natural_more.tsv")
    trained = {line.paper for file in files for line in read_natural(data / file)}
    assert not trained & {task.corpus.ids[row] for row in answers}


def test_short_queries_have_all_good_hits(data_dir: Path) -> None:
    (data_dir / "short_queries.tsv").write_text("q1\t水稻\nq2\t桥梁\nq3\t法律\nq4\t鱼\n", "utf-8")
    grades = [("q1", 0, 2), ("q1", 1, 1), ("q1", 2, 2), ("q2", 1, 2), ("q3", 0, 1), ("q4", 2, 2)]
    lines = [f"{query}\t{_ANSWERS[row]}\t{grade}\n" for query, row, grade in grades]
    (data_dir / "short_qrels.tsv").write_text("".join(lines), "utf-8")
    tuned, judged, every = (load_task("short", data_dir, split) for split in Split)
    rows = {query.id: {every.corpus.ids[row] for row in query.relevant} for query in every.queries}
    assert rows == {
        "q1": {_ANSWERS[0], _ANSWERS[2]},
        "q2": {_ANSWERS[1]},
        "q4": {_ANSWERS[2]},
    }
    assert [query.text for query in judged.queries] == ["水稻"]  # Nothing good is known for q3.
    assert [query.text for query in tuned.queries] == ["桥梁", "鱼"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("q9\tp1\t2\n", "q9"),
        ("q1\tp1\t3\n", "'3'"),
        ("q1\tnowhere\t2\n", "nowhere, which is no document"),
    ],
)
def test_grades_of_nothing_known_are_refused(data_dir: Path, line: str, words: str) -> None:
    (data_dir / "short_queries.tsv").write_text("q1\t水稻\n", "utf-8")
    (data_dir / "short_qrels.tsv").write_text(line, "utf-8")
    with pytest.raises(DataInvalid, match=words):
        load_task("short", data_dir)


def test_queries_for_an_unknown_document_are_refused(data_dir: Path) -> None:
    (data_dir / "title_only.tsv").write_text("ask\t问\tt9\n", "utf-8")
    with pytest.raises(DataInvalid, match=r"t9, which is no document of literature_papers\.jsonl"):
        load_task("title_only", data_dir)


def test_a_missing_file_is_named(data_dir: Path) -> None:
    (data_dir / "literature_papers.jsonl").unlink()
    with pytest.raises(DataMissing, match=r"literature_papers\.jsonl"):
        load_task("title_to_abstract", data_dir)


def test_further_abstracts_may_be_absent(data_dir: Path) -> None:
    (data_dir / "literature_abstracts.jsonl").unlink()
    assert load_task("title_to_abstract", data_dir).corpus.texts == tuple(
        paper["abstract"] for paper in _PAPERS
    )


def test_papers_may_be_written_as_documents(data_dir: Path) -> None:
    row = {"id": "p9", "title": "己", "text": "己好。", "fields": {"keywords": ["己"]}}
    (data_dir / "literature_papers.jsonl").write_text(json.dumps(row), "utf-8")
    assert load_task("keywords_to_title", data_dir).queries[0].text == "己"
    assert load_task("title_to_abstract", data_dir).corpus.texts[0] == "己好。"


@pytest.mark.parametrize("keywords", ["甲;乙", "甲， 乙", ["甲", "乙"]])
def test_keywords_that_are_one_text_are_words(keywords: object, data_dir: Path) -> None:
    row = _PAPERS[0] | {"keywords": keywords}
    (data_dir / "literature_papers.jsonl").write_text(json.dumps(row), "utf-8")
    assert load_task("keywords_to_title", data_dir).queries[0].text == "甲 乙"


@pytest.mark.parametrize(
    ("task", "name", "content", "reason"),
    [
        ("keywords_to_title", "literature_papers.jsonl", "{", "line 2: not JSON"),
        ("natural", "literature_papers.jsonl", '{"id": "p9"}', "line 2: no text in 'title'"),
        ("natural", "literature_papers.jsonl", '{"id": "p9", "title": "己"}', "no text in 'abs"),
        (
            "title_to_abstract",
            "literature_papers.jsonl",
            '{"id": "p9", "title": "己", "abstract": "己", "fields": [], "keywords": null}',
            "'keywords' is neither",
        ),
        ("natural", "natural_dev.tsv", "ask\t问", "line 2: 2 columns, 3 expected"),
        (
            "natural",
            "natural_dev.tsv",
            "ask\t问\tp9",
            "names p9, which is no document of literature_papers",
        ),
        ("questions", "DRCD_dev.json", "[]", "is not in the form of SQuAD 1.1"),
        ("questions", "DRCD_dev.json", "{", "is not in the form of SQuAD 1.1"),
    ],
)
def test_a_damaged_file_is_one_line(
    task: str, name: str, content: str, reason: str, data_dir: Path
) -> None:
    first = {"literature_papers.jsonl": json.dumps(_PAPERS[0]), "natural_dev.tsv": "ask\t问\tp0"}
    (data_dir / "natural_dev.tsv").write_text(first["natural_dev.tsv"], "utf-8")
    lines = [first[name], content] if name in first else [content]
    (data_dir / name).write_text("\n".join(lines) + "\n", "utf-8")
    options = ["offline", "--data-dir", str(data_dir), "--tasks", task]
    result = CliRunner().invoke(app, options)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1), result.exception
    assert reason in result.stderr


def test_a_separator_within_a_query_ends_no_line(data_dir: Path) -> None:
    (data_dir / "natural_dev.tsv").write_text("ask\t问\u2028题\tp0\nask\t乙\tp1\n", "utf-8")
    assert [query.text for query in load_task("natural", data_dir).queries] == ["问\u2028题", "乙"]


def test_split_rule_is_fixed() -> None:
    """A change of the rule would move papers from tuning into judging."""
    assert [split_of(f"csl-dev-{number:05d}") for number in range(4)] == [
        Split.DEV,
        Split.DEV,
        Split.TEST,
        Split.DEV,
    ]


def test_graded_lines_that_are_none_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "web.tsv"
    path.write_text("问\t题\t2\n问\t题\n问\t题\tx\n\t题\t1\n", "utf-8")
    assert read_graded(path, 2) == [JudgedExample("问", ("题",), Form.GRADED, 1.0)]
