"""Lines of jsonl that JSON allows and no text can hold are malformed, and the others are read."""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from training.data.judged import read_graded
from training.data.pairs import texts_of
from training.data.texts import own_texts, read_abstracts, read_documents, read_rows, split_texts
from training.evaluation.judgements import read_corpus

_NONE: frozenset[str] = frozenset()
_READERS: dict[str, Callable[[Path], Any]] = {
    "papers to leave out": lambda path: texts_of([path]),
    "titles": lambda path: read_rows([path], "title", _NONE),
    "abstracts": lambda path: read_abstracts([path], _NONE),
    "documents": lambda path: read_documents([path]),
    "documents in their file": lambda path: dict(read_documents([path], stream=True)),
    "texts": lambda path: own_texts(path, ("abstract", "title"), _NONE),
    "texts by split": lambda path: split_texts([path], (), 0.5, stream=False),
    "texts in their file": lambda path: [[*x] for x in split_texts([path], (), 0.5, stream=True)],
    "corpus": read_corpus,
}


def _row(**members: object) -> str:
    row = {"id": "a", "title": "国企", "abstract": "国有企业的改革"} | members
    return json.dumps(row)


def _said(caplog: pytest.LogCaptureFixture) -> str:
    return "; ".join(each.getMessage() for each in caplog.records if each.levelno > logging.INFO)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (_row(id="b", title="半\ud83d字"), "holds half a character"),
        (_row(id="b\udc00"), "holds half a character"),
        ('{"id": "b", "title": "x", "abstract": "\\uDBFF"}', "holds half a character"),
        (_row(id="b", abstract="半\udfff"), "holds half a character"),
        ('{"id": "b", "title": ' + "[" * 100_000, "not JSON"),
    ],
    ids=["title", "id", "capitals", "abstract", "deep"],
)
@pytest.mark.parametrize("kind", _READERS)
def test_one_bad_line_is_named(
    kind: str, line: str, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = [_row(), _row(id="c", title="海洋\U0001f600", abstract="海洋的\U0001f600生态")]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(good), "utf-8")
    expected = _READERS[kind](path)
    assert not _said(caplog), "a whole character of two escape sequences is none of these"
    path.write_text("\n".join([good[0], line, good[1]]), "utf-8")
    assert _READERS[kind](path) == expected
    assert f"2 read, 1 malformed (line 2: {reason}" in _said(caplog)


@pytest.mark.parametrize(
    "members", [{"title": 7}, {"abstract": ["国有企业"]}, {"text": {"zh": "国有企业"}}]
)
def test_a_paper_to_leave_out_without_a_text_is_named(
    members: Mapping[str, object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "papers.jsonl"
    path.write_text(f"{_row()}\n{_row(id='b', **members)}\n", "utf-8")
    assert texts_of([path]) == {"国企", "国有企业的改革"}
    assert f"1 malformed (line 2: {next(iter(members))!r} is no text)" in _said(caplog)


@pytest.mark.parametrize("grade", ["3", "-1", "1.0", "²", "9" * 5_000])
def test_a_grade_that_is_none_is_named(
    grade: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "graded.tsv"
    path.write_text(f"国企\t国有企业\t2\n海洋\t海洋生态\t{grade}\n", "utf-8")
    (graded,) = read_graded(path, 2)
    assert graded.grade == 1
    assert f"1 malformed (line 2: '{grade[:40]}' is no grade from 0 to 2)" in _said(caplog)
