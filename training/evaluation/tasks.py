"""The retrieval tasks: queries, a corpus and what is relevant to each query.

Three are made of papers, with the other titles and abstracts of the literature as
distractors; one (`general`) is ordinary question pairs, to see what literature training
costs elsewhere.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from training.evaluation import literature
from training.evaluation.splits import Split, held_out_query


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents without two of the same content. Row i is `ids[i]`, `titles[i]`, `texts[i]`."""

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def digest(self) -> str:
        """16 hex digits over the content, in order."""
        content = hashlib.sha256()
        for title, text in zip(self.titles, self.texts, strict=True):
            content.update(f"{title}\0{text}\0".encode())
        return content.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Query:
    id: str
    """Unique, also where two queries have the same words: each one counts."""
    text: str
    relevant: tuple[int, ...]
    """Rows of the corpus."""


@dataclass(frozen=True, slots=True)
class Task:
    name: str
    corpus: Corpus
    queries: tuple[Query, ...]


class DataMissing(Exception):
    """A file that a task needs is not in the data directory."""


def load_task(
    name: str, data_dir: Path, split: Split = Split.ALL, sample: int | None = None
) -> Task:
    """One of TASKS. `sample` keeps the first so many queries (the corpus stays whole).

    Raises DataMissing, which says what to get, when an input file is absent.
    """
    return TASKS[name](data_dir, split, sample)


def _title_corpus(data_dir: Path) -> Corpus:
    papers = literature.read_papers(data_file(data_dir, literature.PAPERS))
    titles = literature.read_texts(data_file(data_dir, literature.TITLES), "title")
    return _corpus(
        [
            *((paper.id, paper.title, "") for paper in papers),
            *((id_, title, "") for id_, title in titles),
        ]
    )


def _abstract_corpus(data_dir: Path) -> Corpus:
    """Without the file of further abstracts, which the project does not ship, a smaller one."""
    papers = literature.read_papers(data_file(data_dir, literature.PAPERS))
    further = data_dir / literature.ABSTRACTS
    abstracts = literature.read_texts(further, "abstract") if further.is_file() else []
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
    """Held-out query to title among all titles; a query may have several titles."""
    pairs = literature.read_pairs(data_file(data_dir, literature.GENERAL_PAIRS))
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


TASKS: dict[str, Callable[[Path, Split, int | None], Task]] = {
    "first_sentence_to_title": _first_sentence_to_title,
    "keywords_to_title": _keywords_to_title,
    "title_to_abstract": _title_to_abstract,
    "general": _general,
}
PAPER_TASKS = ",".join(name for name in TASKS if name != "general")
"""The literature: what is tuned for, and reported of the running system."""


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
    """The first document of each content: a second copy would make one answer of two wrong."""
    kept: dict[str, tuple[str, str, str]] = {}
    for id_, title, text in documents:
        kept.setdefault(_content(title, text), (id_, title, text))
    ids, titles, texts = zip(*kept.values(), strict=True)
    return Corpus(ids, titles, texts)


def _content(title: str, text: str) -> str:
    return title or text


def data_file(data_dir: Path, name: str) -> Path:
    path = data_dir / name
    if not path.is_file():
        raise DataMissing(f"{name} is not in the data directory; data/README.md says how to get it")
    return path
