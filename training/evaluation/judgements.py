"""Reads queries, judgements and their corpus in the forms of the field.

| form | files |
|---|---|
| BEIR | a directory with `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv` |
| TREC | a file of queries (`id<TAB>text`, or jsonl) and one of qrels (`query 0 document grade`) |
| pairs | `query<TAB>title` lines, or csv with two columns: the title is the only answer |

A corpus is jsonl (`id` or `_id`, `title`, `text` or `abstract`), or any other file that `xunwen
index` reads, also one with a text on each line; the id of a plain text is a hash of it. A document
without a text has the beginning of its body in its place, as the encoder reads it.
"""

import csv
import io
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from services.common.documents import Content, lead
from training.data.documents import DocumentFile
from training.data.pairs import normal
from training.data.readers import Malformed, read_lines, record
from training.evaluation.metrics import Qrels
from training.evaluation.tasks import Corpus, Query, Task
from training.failures import DataInvalid

log = logging.getLogger(__name__)

T = TypeVar("T")

EMPTY = Corpus((), (), ())
_HEADERS = ("query-id", "query_id", "qid\t")
_object = record()


@dataclass(frozen=True, slots=True)
class JudgedQueries:
    """Queries, and grades by query and document; without a corpus only ids are known."""

    task: Task
    qrels: Qrels


def read_judged(queries: Path, qrels: Path | None, corpus: Path | None) -> JudgedQueries:
    """Read judged queries in one of the forms above. Raises DataInvalid."""
    if queries.is_dir():
        corpus = corpus or queries / "corpus.jsonl"
        qrels = qrels or _only_qrels(queries / "qrels")
        queries = queries / "queries.jsonl"
    documents = read_corpus(corpus) if corpus is not None else EMPTY
    name = (queries.parent.name if queries.name == "queries.jsonl" else queries.stem) or "queries"
    if qrels is None:
        return _of_pairs(name, queries, documents)
    texts = _by_id(queries, _read(queries, _query))
    grades = _grades(qrels)
    judged = {query: grades[query] for query in texts if query in grades}
    if not judged:
        raise DataInvalid(f"no query of {queries} is judged in {qrels}: the ids have to agree")
    left_out = len(texts) - len(judged)
    said = [f"{left_out} of {len(texts)} queries have no judgements"] if left_out else []
    hopeless = sum(1 for each in judged.values() if max(each.values()) <= 0)
    if hopeless:
        said.append(
            f"{hopeless} of {len(judged)} judged queries have no judgement above 0 and count as"
            " not found"
        )
    if corpus is not None:
        said += _not_in_corpus(judged, documents, qrels, corpus)
    if said:
        log.warning("%s: %s", name, "; ".join(said))
    return JudgedQueries(
        _task(name, documents, {key: texts[key] for key in judged}, judged), judged
    )


def _grades(path: Path) -> dict[str, dict[str, int]]:
    """The grades of a file by query and document. Of several for one pair the last counts; the log
    tells how many differ from it. Raises DataInvalid."""
    grades: dict[str, dict[str, int]] = {}
    differing = 0
    for query, document, grade in _read(path, _judgement, header=True):
        of_query = grades.setdefault(query, {})
        differing += of_query.get(document, grade) != grade
        of_query[document] = grade
    if differing:
        log.warning(
            "%s: %d judgements repeat a query and document with another grade; the last one counts",
            path.name,
            differing,
        )
    return grades


def read_corpus(path: Path) -> Corpus:
    """All documents of a file. Raises DataInvalid."""
    if not path.is_file():
        raise DataInvalid(f"{path} does not exist")
    rows: Iterable[tuple[str, tuple[str, str]]]
    if path.suffix == ".jsonl":
        rows = _read(path, _document)
    else:
        rows = ((each.id, (each.title, lead(each))) for each in DocumentFile(path).documents())
    contents = _by_id(path, rows)
    titles, texts = zip(*contents.values(), strict=True)
    return Corpus(tuple(contents), titles, texts)


def _by_id(path: Path, rows: Iterable[tuple[str, T]]) -> dict[str, T]:
    """The rows of a file by id. Of several with one id the last counts; the log tells how many
    others there are."""
    by_id: dict[str, T] = {}
    count = 0
    for key, row in rows:
        by_id[key] = row
        count += 1
    if repeated := count - len(by_id):
        log.warning(
            "%s: %d of %d ids are repeated; the last row of an id counts",
            path.name,
            repeated,
            count,
        )
    return by_id


def _not_in_corpus(judged: Qrels, documents: Corpus, qrels: Path, corpus: Path) -> list[str]:
    """Says how many judged documents the corpus does not have, if there are any. Raises
    DataInvalid if no answer is in it."""
    known = frozenset(documents.ids)
    named = {key for grades in judged.values() for key in grades}
    answers = {key for grades in judged.values() for key, grade in grades.items() if grade > 0}
    if not answers & known:
        raise DataInvalid(
            f"no judgement above 0 in {qrels} names a document of {corpus}: the ids have to agree"
        )
    absent = len(named - known)
    return [f"{absent} of {len(named)} judged documents are not in the corpus"] if absent else []


def _of_pairs(name: str, path: Path, corpus: Corpus) -> JudgedQueries:
    """Queries whose answers are given as titles; one text may answer several queries."""
    if not len(corpus):
        raise DataInvalid(
            f"{path} names its answers by their titles: give --corpus, where they stand, or --qrels"
        )
    ids_of: dict[str, list[str]] = {}
    for key, title, text in zip(corpus.ids, corpus.titles, corpus.texts, strict=True):
        for name_of_document in dict.fromkeys(filter(None, (normal(title), normal(text)))):
            ids_of.setdefault(name_of_document, []).append(key)

    def parse(line: str) -> tuple[str, list[str]]:
        cells = [cell.strip() for cell in _cells(line, path)]
        if len(cells) < 2 or not all(cells[:2]):
            raise Malformed(f"{len(cells)} columns, a query and a title expected")
        if normal(cells[1]) not in ids_of:
            raise Malformed(f"{cells[1][:40]!r} is no document of the corpus")
        return cells[0], ids_of[normal(cells[1])]

    qrels: dict[str, dict[str, int]] = {}
    for query, answers in _read(path, parse):
        qrels.setdefault(query, {}).update(dict.fromkeys(answers, 1))
    return JudgedQueries(_task(name, corpus, {query: query for query in qrels}, qrels), qrels)


def _task(name: str, corpus: Corpus, texts: dict[str, str], qrels: Qrels) -> Task:
    row_of = {key: row for row, key in enumerate(corpus.ids)}
    queries = tuple(
        Query(
            key,
            text,
            tuple(
                row_of[document]
                for document, grade in qrels[key].items()
                if grade > 0 and document in row_of
            ),
        )
        for key, text in texts.items()
    )
    return Task(name, corpus, queries)


def _read(path: Path, parse: Any, *, header: bool = False) -> list[Any]:
    """All usable lines; with `header`, a first line that names the columns is left out, as in
    BEIR."""
    first = header

    def parsed(line: str) -> Any:
        nonlocal first
        named, first = first and line.lower().startswith(_HEADERS), False
        return None if named else parse(line)

    return [item for item in read_lines(path, parsed)[0] if item is not None]


def _only_qrels(folder: Path) -> Path:
    """The test judgements of a BEIR directory, or its only ones."""
    files = sorted(folder.glob("*.tsv"))
    test = [path for path in files if path.stem == "test"]
    if not test and len(files) != 1:
        raise DataInvalid(f"{folder} holds {len(files)} files of judgements: name one by --qrels")
    return (test or files)[0]


def _query(line: str) -> tuple[str, str]:
    if line.lstrip().startswith("{"):
        row = _object(line)
        return str(_member(row, "_id", "id", "query_id")), str(_member(row, "text", "query"))
    key, tab, text = line.partition("\t")
    if not tab or not key.strip() or not text.strip():
        raise Malformed("no `id<TAB>text`")
    return key.strip(), text.strip()


def _judgement(line: str) -> tuple[str, str, int]:
    """The query, document and grade of a line: `query 0 document grade` (TREC) or
    `query<TAB>document<TAB>grade` (BEIR). Raises Malformed."""
    cells = [cell.strip() for cell in (line.split("\t") if "\t" in line else line.split())]
    if len(cells) not in (3, 4):
        raise Malformed(f"{len(cells)} columns, 3 or 4 expected")
    if not cells[0] or not cells[-2]:
        raise Malformed("no id of a query or of a document")
    try:
        return cells[0], cells[-2], int(cells[-1])
    except ValueError:
        raise Malformed(f"{cells[-1]!r} is no grade") from None


def _document(line: str) -> tuple[str, tuple[str, str]]:
    row = _object(line)
    title = str(row.get("title") or "").strip()
    text = str(row.get("text") or row.get("abstract") or "").strip()
    text = text or lead(Content(id="", body=str(row.get("body") or "")))
    if not title and not text:
        raise Malformed("neither title nor text")
    return str(_member(row, "_id", "id")), (title, text)


def _member(row: dict[str, Any], *names: str) -> object:
    for name in names:
        if row.get(name) not in (None, ""):
            return row[name]
    raise Malformed(f"no {' or '.join(names)}")


def _cells(line: str, path: Path) -> Iterable[str]:
    if "\t" in line or path.suffix != ".csv":
        return line.split("\t")
    try:
        return next(csv.reader(io.StringIO(line)), [])
    except csv.Error as error:
        raise Malformed(f"no line of a table: {error}") from None
