"""The retrieval tasks: queries, a corpus, and the relevant documents of each query.

Three tasks are made of papers, with the other titles and abstracts of the literature as
distractors. `natural`, `natural_others` and `title_only` hold queries that say a document's content
in other words: by one writer and by others, and for documents that have a title and no text.
`short` holds queries of a few characters, as people type them, with graded documents. Two show what
training on literature costs elsewhere: `general` has ordinary question pairs, and `questions` has
questions that people wrote for paragraphs of an encyclopaedia. `people` has such questions to tune
by.
"""

import hashlib
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from pathlib import Path

from training.data.pairs import read_pairs
from training.data.readers import columns, read_lines, record
from training.data.splits import Split, held_out_query
from training.evaluation import literature
from training.failures import DataInvalid


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents, no two of which have the same content. Row i is `ids[i]`, `titles[i]`,
    `texts[i]`."""

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def digest(self) -> str:
        """Hash of the documents in their order, 16 hex digits."""
        content = hashlib.sha256()
        for title, text in zip(self.titles, self.texts, strict=True):
            content.update(f"{title}\0{text}\0".encode())
        return content.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Query:
    id: str
    """Id of the query. It is unique even if two queries have the same words, since each one
    counts."""
    text: str
    relevant: tuple[int, ...]
    """Rows of the corpus that answer the query."""
    kind: str = ""
    """Manner of asking, in tasks that report each manner by itself."""


@dataclass(frozen=True, slots=True)
class Task:
    name: str
    corpus: Corpus
    queries: tuple[Query, ...]

    def kinds(self) -> dict[str, frozenset[str]]:
        """Ids of the queries of each kind; empty if the task has one manner of asking."""
        kinds: dict[str, set[str]] = {}
        for query in self.queries:
            if query.kind:
                kinds.setdefault(query.kind, set()).add(query.id)
        return {kind: frozenset(ids) for kind, ids in sorted(kinds.items())}


class DataMissing(Exception):
    """A file that a task needs is not in the data directory."""


def load_task(
    name: str, data_dir: Path, split: Split = Split.ALL, sample: int | None = None
) -> Task:
    """Loads one of TASKS. With `sample` only that many queries are kept, the first ones; the corpus
    stays whole.

    Raises DataMissing, which says what to get, when an input file is absent.
    """
    return TASKS[name](data_dir, split, sample)


def _title_corpus(data_dir: Path) -> Corpus:
    papers = literature.read_papers(data_file(data_dir, literature.PAPERS))
    titles = _texts(data_file(data_dir, literature.TITLES), "title")
    return _corpus(
        [
            *((paper.id, paper.title, "") for paper in papers),
            *((id_, title, "") for id_, title in titles),
        ]
    )


def _abstract_corpus(data_dir: Path) -> Corpus:
    """All papers of the literature. The corpus is smaller without the file of further abstracts,
    which the project does not ship."""
    papers = literature.read_papers(data_file(data_dir, literature.PAPERS))
    further = data_dir / literature.ABSTRACTS
    abstracts = _texts(further, "abstract") if further.is_file() else []
    return _corpus(
        [
            *((paper.id, "", paper.abstract) for paper in papers),
            *((id_, "", abstract) for id_, abstract in abstracts),
        ]
    )


def _first_sentence_to_title(data_dir: Path, split: Split, sample: int | None) -> Task:
    return _paper_task(
        "first_sentence_to_title",
        data_dir,
        _title_corpus(data_dir),
        split,
        sample,
        lambda paper: (literature.first_sentence(paper.abstract), paper.title),
    )


def _keywords_to_title(data_dir: Path, split: Split, sample: int | None) -> Task:
    return _paper_task(
        "keywords_to_title",
        data_dir,
        _title_corpus(data_dir),
        split,
        sample,
        lambda paper: (" ".join(paper.keywords), paper.title),
    )


def _title_to_abstract(data_dir: Path, split: Split, sample: int | None) -> Task:
    return _paper_task(
        "title_to_abstract",
        data_dir,
        _abstract_corpus(data_dir),
        split,
        sample,
        lambda paper: (paper.title, paper.abstract),
    )


def _general(data_dir: Path, _split: Split, sample: int | None) -> Task:
    """Makes a task of held-out queries that are to find their titles among all titles; a query may
    have several."""
    path = data_file(data_dir, literature.GENERAL_PAIRS)
    pairs = [(pair.query, pair.title) for pair in read_pairs(path, path.stem)]
    corpus = _corpus([(f"general-{row:05d}", title, "") for row, (_, title) in enumerate(pairs)])
    row_of = {title: row for row, title in enumerate(corpus.titles)}
    relevant: dict[str, list[int]] = {}
    for query, title in pairs:
        if held_out_query(query):
            relevant.setdefault(query, []).append(row_of[title])
    queries = [
        Query(f"general-{number:05d}", text, tuple(dict.fromkeys(rows)))
        for number, (text, rows) in enumerate(relevant.items())
    ]
    return Task("general", corpus, tuple(queries[:sample]))


def _questions(data_dir: Path, _split: Split, sample: int | None) -> Task:
    """DRCD's dev set: Traditional Chinese questions among all its paragraphs, without titles.

    Nothing was tuned or trained on any of it, so no split is kept back. Shao et al., "DRCD: a
    Chinese Machine Reading Comprehension Dataset", 2018.
    """
    paragraphs = literature.read_paragraphs(data_file(data_dir, literature.QUESTIONS))
    corpus = _corpus([(f"drcd-{row:04d}", "", each.text) for row, each in enumerate(paragraphs)])
    row_of = {text: row for row, text in enumerate(corpus.texts)}
    asked = [(text, row_of[each.text]) for each in paragraphs for text in each.questions]
    queries = [Query(f"question-{n:04d}", text, (row,)) for n, (text, row) in enumerate(asked)]
    # Neighbouring questions share their paragraph, so a sample takes them from everywhere.
    step = max(1, len(queries) // sample) if sample else 1
    return Task("questions", corpus, tuple(queries[::step][:sample]))


def _people(data_dir: Path, _split: Split, sample: int | None) -> Task:
    """Every eighth question that people wrote for passages of an encyclopaedia, among all passages
    (`xunwen prepare` makes both of CMRC 2018). For tuning: a few of them train the ranker."""
    passages = _texts(data_file(data_dir, literature.PEOPLE_PASSAGES), "text")
    corpus = _corpus([(id_, "", text) for id_, text in passages])
    row_of = {id_: row for row, id_ in enumerate(corpus.ids)}
    # Two questions of the public file are empty.
    lines, _ = read_lines(data_file(data_dir, literature.PEOPLE_QUESTIONS), columns(3, 3))
    asked = [(text, row_of[id_]) for _, text, id_ in lines if id_ in row_of]
    queries = [
        Query(f"people-{number:04d}", text, (row,))
        for number, (text, row) in enumerate(asked[::8], start=1)
    ]
    return Task("people", corpus, tuple(queries[:sample]))


def _natural(data_dir: Path, split: Split, sample: int | None) -> Task:
    """Natural queries, which say a paper's content in other words, among all papers with abstracts
    and all titles.

    Even lines tune and odd lines judge, whatever the split of their papers. Who wrote them wrote
    most of the queries of training, too.
    """
    corpus, queries = _written("natural", data_dir, literature.NATURAL_QUERIES)
    chosen = [query for number, query in enumerate(queries, start=1) if _of_line(number, split)]
    return Task("natural", corpus, tuple(chosen[:sample]))


def _natural_others(data_dir: Path, split: Split, sample: int | None) -> Task:
    """Natural queries in the same corpus by writers who wrote none of the queries of training;
    data/README.md says how near they are to those who did.

    The queries of two papers of three tune, those of every third paper judge.
    """
    return _thirds("natural_others", data_dir, literature.OTHER_QUERIES, split, sample)


def _title_only(data_dir: Path, split: Split, sample: int | None) -> Task:
    """Natural queries in the same corpus whose answers have a title and no text, by writers who
    wrote no other queries.

    Most of the corpus is such titles, and in the other natural tasks they are always wrong.
    """
    return _thirds("title_only", data_dir, literature.TITLE_QUERIES, split, sample)


def _thirds(task: str, data_dir: Path, file: str, split: Split, sample: int | None) -> Task:
    """The queries of a file, of which those for two answers of three tune and those for every third
    judge."""
    corpus, queries = _written(task, data_dir, file)
    place = {row: at for at, row in enumerate(dict.fromkeys(query.relevant for query in queries))}
    chosen = [
        query
        for query in queries
        if split is Split.ALL or (split is Split.TEST) is (place[query.relevant] % 3 == 0)
    ]
    return Task(task, corpus, tuple(chosen[:sample]))


def _short(data_dir: Path, split: Split, sample: int | None) -> Task:
    """Queries of a few characters in the same corpus, each with all good hits among the documents
    that some order of recall or ranking had among its best ten.

    Even lines tune and odd lines judge. A query without a good hit is left out.
    """
    corpus = _literature_corpus(data_dir)
    row_of = {id_: row for row, id_ in enumerate(corpus.ids)}
    read = literature.read_short(
        data_file(data_dir, literature.SHORT_QUERIES), data_file(data_dir, literature.SHORT_GRADES)
    )
    _all_known(literature.SHORT_GRADES, (key for each in read for key in each.grades), row_of)
    queries = [
        Query(each.id, each.query, hits)
        for number, each in enumerate(read, start=1)
        if _of_line(number, split)
        if (hits := tuple(row_of[key] for key, grade in each.grades.items() if grade == 2))
    ]
    return Task("short", corpus, tuple(queries[:sample]))


def _of_line(number: int, split: Split) -> bool:
    """Whether a split holds the query of a line, by its number from 1: even ones tune."""
    return split is Split.ALL or (split is Split.DEV) is (number % 2 == 0)


def _written(task: str, data_dir: Path, file: str) -> tuple[Corpus, list[Query]]:
    """All papers with abstracts and all titles, and the queries of a file in its order."""
    corpus = _literature_corpus(data_dir)
    row_of = {id_: row for row, id_ in enumerate(corpus.ids)}
    lines = literature.read_natural(data_file(data_dir, file))
    _all_known(file, (line.paper for line in lines), row_of)
    return corpus, [
        Query(f"{task}-{number:04d}", line.query, (row_of[line.paper],), line.kind)
        for number, line in enumerate(lines, start=1)
    ]


def _literature_corpus(data_dir: Path) -> Corpus:
    """All papers with abstracts and all titles."""
    papers = literature.read_papers(data_file(data_dir, literature.PAPERS))
    titles = _texts(data_file(data_dir, literature.TITLES), "title")
    return _corpus(
        [
            *((paper.id, paper.title, paper.abstract) for paper in papers),
            *((id_, title, "") for id_, title in titles),
        ]
    )


def _all_known(file: str, named: Iterable[str], documents: Container[str]) -> None:
    """Raises DataInvalid if a file names a document that the corpus does not have."""
    unknown = next((key for key in named if key not in documents), None)
    if unknown is not None:
        raise DataInvalid(
            f"{file} names {unknown}, which is no document of {literature.PAPERS} or"
            f" {literature.TITLES}"
        )


TASKS: dict[str, Callable[[Path, Split, int | None], Task]] = {
    "first_sentence_to_title": _first_sentence_to_title,
    "keywords_to_title": _keywords_to_title,
    "title_to_abstract": _title_to_abstract,
    "natural": _natural,
    "natural_others": _natural_others,
    "title_only": _title_only,
    "short": _short,
    "general": _general,
    "questions": _questions,
    "people": _people,
}
PAPER_TASKS = ",".join(name for name in TASKS if name not in ("general", "questions", "people"))
"""Names of the tasks of the literature, which the system is tuned for and which `xunwen eval
online` reports."""


def _paper_task(
    name: str,
    data_dir: Path,
    corpus: Corpus,
    split: Split,
    sample: int | None,
    sides: Callable[[literature.Paper], tuple[str, str]],
) -> Task:
    row_of = {
        content: row for row, content in enumerate(map(_content, corpus.titles, corpus.texts))
    }
    papers = [
        paper
        for paper in literature.read_papers(data_file(data_dir, literature.PAPERS))
        if split.holds(paper.id)
    ]
    queries = []
    for paper in papers[:sample]:
        text, answer = sides(paper)
        queries.append(Query(paper.id, text, (row_of[answer],)))
    return Task(name, corpus, tuple(queries))


def _corpus(documents: Iterable[tuple[str, str, str]]) -> Corpus:
    """The first document of each content, since a second copy would make one answer of two
    wrong."""
    kept: dict[str, tuple[str, str, str]] = {}
    for id_, title, text in documents:
        kept.setdefault(_content(title, text), (id_, title, text))
    ids, titles, texts = zip(*kept.values(), strict=True)
    return Corpus(ids, titles, texts)


def _content(title: str, text: str) -> str:
    return title or text


def _texts(path: Path, member: str) -> list[tuple[str, str]]:
    """Yields id and text of every row of a jsonl file; `member` names the text."""
    return [(row["id"], row[member]) for row in read_lines(path, record("id", member))[0]]


def data_file(data_dir: Path, name: str) -> Path:
    path = data_dir / name
    if not path.is_file():
        raise DataMissing(f"{name} is not in the data directory; data/README.md says how to get it")
    return path
