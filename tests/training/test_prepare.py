"""`prepare`: training files out of clones of public data sets."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from training.cli.prepare import app
from training.data.judged import Form, ranked_parser, read_graded
from training.data.lines import LineFile
from training.data.pairs import read_pairs
from training.data.public import FILES
from training.data.texts import read_documents, read_rows

_CSL = {"abst": "甲的摘要", "keyword": ["一", "二"], "label": "1"}
_WRONG = {"abst": "甲的摘要", "keyword": ["三"], "label": "0"}
_LONG = "甲。" * 100
_PARAGRAPHS = {
    "data": [
        {
            "paragraphs": [
                {
                    "context": f"{_LONG}乙在此。",
                    "qas": [
                        {
                            "question": "乙在\n哪里？",
                            "answers": [{"text": "乙在此", "answer_start": len(_LONG)}],
                        },
                        {
                            "question": "两段都有？",
                            "answers": [{"text": f"{_LONG}乙", "answer_start": 0}],
                        },
                    ],
                }
            ]
        }
    ]
}
_DISCIPLINE = {"content": "乙的摘要", "label": "数学"}


@pytest.fixture
def clones(tmp_path: Path) -> Path:
    """What the repositories have, cut to a row or two."""
    for file in FILES:
        for name in file.inputs:
            path = tmp_path / file.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            kinds: dict[str, list[dict[str, Any]]] = {
                "csl": [_CSL, _WRONG],
                "csldcp": [_DISCIPLINE, {"id": 3, "content": "甲的摘要"}],
                "datasets": [{"query": "问", "title": "答\t案", "neg_title": "不是"}],
                "dataset": [{"id": 0, "query": "问", "title": "网页", "label": "2"}],
                "squad-style-data": [_PARAGRAPHS],
            }
            rows = kinds[path.parent.name]
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return tmp_path


def test_every_file_is_what_training_reads(clones: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    result = CliRunner().invoke(app, [str(clones), "--output", str(data)])
    assert result.exit_code == 0, result.output
    assert f"{data}/literature_abstracts.jsonl: 2 lines" in result.stdout
    first, second = read_rows([data / "literature_abstracts.jsonl"], "abstract", frozenset())
    assert first == {"id": "abs-00000", "abstract": "甲的摘要", "keywords": ["一", "二"]}
    assert second == {"id": "abs-00001", "abstract": "乙的摘要", "discipline": "数学"}
    (pair,) = read_pairs(data / "pairs_general.tsv", "general")
    assert (pair.query, pair.title) == ("问", "答 案")
    (triple,) = LineFile(data / "pairwise_general.tsv", ranked_parser(Form.PAIRWISE)).read()
    assert triple.texts == ("答 案", "不是")
    (graded,) = read_graded(data / "relevance_web.tsv", 2)
    assert (graded.texts, graded.grade) == (("网页",), 1.0)
    documents = read_documents([data / "people_passages.jsonl"], frozenset())
    lines = (data / "people_questions.tsv").read_text("utf-8").splitlines()
    kind, question, passage = lines[0].split("\t")
    assert (kind, question) == ("people", "乙在 哪里？")
    assert documents[passage].endswith("乙在此。")
    # One question for each of two files; the other one's answer is longer than a passage.
    assert len(lines) == 2


def test_what_is_not_there_is_one_line_each(clones: Path, tmp_path: Path) -> None:
    (clones / "QBQTC" / "dataset" / "dev.json").unlink()
    result = CliRunner().invoke(app, [str(clones), "--output", str(tmp_path / "data")])
    assert result.exit_code == 0
    assert result.stderr == (
        f"left out: relevance_web.tsv needs {clones}/QBQTC/dataset/dev.json:"
        f" git clone https://github.com/CLUEbenchmark/QBQTC {clones}/QBQTC\n"
    )
    nothing = CliRunner().invoke(app, [str(tmp_path / "data"), "--output", str(tmp_path / "out")])
    assert nothing.exit_code == 1
    assert nothing.stderr.count("\n") == len(FILES)


@pytest.mark.parametrize("content", ['{"data": [', "[]", '{"data": [{}]}'])
def test_a_damaged_file_is_one_line(content: str, clones: Path, tmp_path: Path) -> None:
    damaged = clones / "cmrc2018" / "squad-style-data" / "cmrc2018_dev.json"
    damaged.write_text(content, "utf-8")
    target = tmp_path / "made"
    result = CliRunner().invoke(app, [str(clones), "--output", str(target)])
    assert result.exit_code == 0, result.exception
    said = f"left out: {damaged} is not in the form of SQuAD 1.1; fetch it anew\n"
    assert result.stderr == 2 * said
    assert not [*target.glob("*people*"), *target.glob(".*")]
