"""Files that editors on Windows saved, with a byte order mark, lose no line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.models import tiny_encoder
from training.cli.predict import app
from training.data.judged import Form, ranked_parser, read_graded
from training.data.lines import LineFile, lines_by_kind
from training.data.pairs import pair_parser, read_pairs, texts_of
from training.data.sources import PairFiles, StreamedPairs
from training.data.texts import own_texts, read_documents, read_rows
from training.evaluation.judgements import read_corpus, read_judged

_MARK = b"\xef\xbb\xbf"
_QUERIES = "q1\t国企\nq2\t水稻\n"
_JSON_QUERIES = '{"_id": "q1", "text": "国企"}\n{"_id": "q2", "text": "水稻"}\n'
_TREC = "q1 0 d1 1\nq2 0 d2 1\n"
_BEIR = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\n"
_CORPUS = '{"id": "d1", "title": "国企"}\n{"id": "d2", "title": "水稻"}\n'
_PAIRS = "国企\t国企\n水稻\t水稻\n"


def _judged(path: Path, queries: str, qrels: str) -> object:
    """The judged queries of files beside `path`, one of which is `path`."""
    rest = {"queries": queries, "qrels": qrels, "corpus.jsonl": _CORPUS}
    for name, content in rest.items():
        if name != path.name:
            (path.parent / name).write_text(content, "utf-8")
    given = [path.parent / name for name in rest]
    judged = read_judged(*given)
    return judged.task, judged.qrels


def _of_pairs(path: Path) -> object:
    corpus = path.with_name("corpus.jsonl")
    corpus.write_text(_CORPUS, "utf-8")
    judged = read_judged(path, None, corpus)
    return judged.task, judged.qrels


def _streamed(path: Path) -> object:
    """All pairs that stay in their file, the first once more after the last."""
    lines = lines_by_kind([LineFile(path, pair_parser("group"))], lambda pair: pair.group)["group"]
    return [*lines, lines[0]]


_KINDS: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "queries": ("queries", _QUERIES, lambda path: _judged(path, _QUERIES, _TREC)),
    "queries as jsonl": ("queries", _JSON_QUERIES, lambda path: _judged(path, "", _TREC)),
    "TREC judgements": ("qrels", _TREC, lambda path: _judged(path, _QUERIES, "")),
    "BEIR judgements": ("qrels", _BEIR, lambda path: _judged(path, _QUERIES, "")),
    "corpus as jsonl": ("corpus.jsonl", _CORPUS, read_corpus),
    "corpus as a table": ("corpus.csv", "id,title\nd1,国企\nd2,水稻\n", read_corpus),
    "corpus of texts": ("corpus.txt", "国企\n水稻\n", read_corpus),
    "queries with titles": ("pairs.tsv", _PAIRS, _of_pairs),
    "queries with titles, csv": ("pairs.csv", _PAIRS.replace("\t", ","), _of_pairs),
    "pairs": ("pairs.tsv", _PAIRS, lambda path: read_pairs(path, "group")),
    "pairs in their file": ("pairs.tsv", _PAIRS, _streamed),
    "pairs by recipe": (
        "pairs.tsv",
        _PAIRS,
        lambda path: StreamedPairs(PairFiles((path,)), {}, 0.0).representatives(),
    ),
    "lists": (
        "lists.tsv",
        "国企\t国企\t水稻\n水稻\t水稻\t国企\n",
        lambda path: LineFile(path, ranked_parser(Form.LISTWISE)).read(),
    ),
    "grades": ("grades.tsv", "国企\t国企\t1\n水稻\t水稻\t0\n", lambda path: read_graded(path, 1)),
    "papers to leave out": ("papers.jsonl", _CORPUS, lambda path: texts_of([path])),
    "titles": ("titles.jsonl", _CORPUS, lambda path: read_rows([path], "title", frozenset())),
    "documents by id": (
        "documents.jsonl",
        _CORPUS,
        lambda path: dict(read_documents([path], frozenset())),
    ),
    "texts": ("texts.txt", "国企\n水稻\n", lambda path: own_texts(path, ("text",), frozenset())),
}


@pytest.mark.parametrize("kind", _KINDS)
def test_a_mark_before_the_first_line_changes_nothing(kind: str, tmp_path: Path) -> None:
    name, content, read = _KINDS[kind]
    path = tmp_path / name
    path.write_bytes(content.encode())
    plain = read(path)
    path.write_bytes(_MARK + content.encode())
    assert read(path) == plain
    path.write_bytes(_MARK + content.replace("\n", "\r\n").encode())
    assert read(path) == plain


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("standard_input", [False, True])
def test_predictions_are_those_without_the_mark(standard_input: bool, tmp_path: Path) -> None:
    encoder, path = tiny_encoder(tmp_path / "encoder"), tmp_path / "pairs.tsv"
    printed = []
    for content in (_PAIRS.encode(), _MARK + _PAIRS.encode()):
        path.write_bytes(content)
        source = "-" if standard_input else str(path)
        given = ["pairs", source, "--encoder", str(encoder)]
        result = CliRunner().invoke(app, given, input=content)
        assert result.exit_code == 0, result.output
        printed.append(result.stdout)
    assert printed[0] == printed[1]
