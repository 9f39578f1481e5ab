"""Measures whether words are found better if the fields of a document are weighed.

The index holds one text of words for a document: title, text, keywords and body. Compared with it
are texts in which title or keywords stand several times, which costs no column, and sums of BM25
over an index for each field, which would cost a column and a search for each.

`natural` are the natural queries (even lines) among the sample's documents; with `--alone` they are
asked of its papers only, since each answer has an abstract and most other documents have none, so
that any weight of the abstract is a weight of the answers. A file of the form of SQuAD, such as
DRCD, gives questions among whole articles, with the best of a document's own words and of its
passages. Each line has MRR@10 and recall@100 of the words alone and, for the natural queries,
MRR@10 with the dense leg.

    python -m benchmarks.field_weights DRCD_dev.json
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.article_index import Scores
from benchmarks.articles import Articles
from benchmarks.long_documents import MODELS
from services.common.blend import read_weights
from services.common.engine import open_encoder
from services.common.text import WordAnalyzer
from services.indexer.passages import Cut, cut
from services.recall.domain import Found
from services.recall.legs.fusion import Fusion, fuse
from services.recall.legs.query_fusion import QueryFusion
from training.data.splits import Split
from training.evaluation.bm25 import Bm25
from training.evaluation.exact import DEPTH, top
from training.evaluation.tasks import Corpus, Task, load_task
from training.evaluation.vectors import document_vectors

DATA = Path("data")
REPEATED = ((1, 1, 1), (2, 1, 1), (3, 1, 1), (5, 1, 1), (1, 1, 2), (2, 1, 2), (1, 1, 0))
"""How often title, text and keywords stand in the one text, each a number."""
SUMMED = ((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 3, 1), (0.5, 1, 0.5), (0.25, 1, 0.25), (0, 1, 0))
"""Weights of the fields' own BM25."""
Fields = Sequence[tuple[str, str, str]]
"""Title, text and keywords of each document."""


class Measured:
    """The natural queries: what words find by themselves and with the dense leg."""

    def __init__(self, task: Task, analyzer: WordAnalyzer) -> None:
        encoder = open_encoder(MODELS / "literature-encoder")
        self._task = task
        self._analyzer = analyzer
        self._texts = [query.text for query in task.queries]
        documents = document_vectors(task.corpus, encoder, None)
        self._dense = encoder.encode_queries(self._texts) @ documents.T
        self._fusion = QueryFusion.of(read_weights())

    def cells(self, scores: Scores) -> str:
        """The figures of a table's line for the scores of words [queries, documents]."""
        words, both, recalled = [], [], 0
        for at, query in enumerate(self._task.queries):
            lexical = self._found(scores[at], above=0.0)
            dense = self._found(self._dense[at], above=-2.0)
            share = self._fusion.dense_weight(query.text, dense, lexical, self._analyzer)
            fused = fuse(dense, lexical, DEPTH, Fusion(dense_weight=share))
            wanted = self._task.corpus.ids[query.relevant[0]]
            order = [one.id for one in lexical]
            words.append(_reciprocal(order, wanted))
            recalled += wanted in order[:100]
            both.append(_reciprocal([one.document.id for one in fused], wanted))
        figures = (np.mean(words), recalled / len(words), np.mean(both))
        return " | ".join(f"{100 * figure:.1f}" for figure in figures)

    def _found(self, line: Scores, *, above: float) -> list[Found]:
        corpus = self._task.corpus
        return [
            Found(corpus.ids[row], float(line[row]), corpus.titles[row], corpus.texts[row])
            for row in top(line[None], DEPTH)[0]
            if line[row] > above
        ]


def natural(analyzer: WordAnalyzer, *, alone: bool) -> Iterator[str]:
    """The lines of the table for the natural queries, among the papers `alone` or all documents."""
    task = load_task("natural", DATA, Split.DEV)
    if alone:
        task = _with_abstracts(task)
    papers = [json.loads(line) for line in (DATA / "literature_papers.jsonl").open("rb")]
    keywords = {one["id"]: "\n".join(one["fields"]["keywords"]) for one in papers}
    corpus = task.corpus
    fields = [
        (title, text, keywords.get(identity, ""))
        for identity, title, text in zip(corpus.ids, corpus.titles, corpus.texts, strict=True)
    ]
    measured = Measured(task, analyzer)
    queries = [query.text for query in task.queries]
    for times in REPEATED:
        scores = _bm25([_repeated(one, times) for one in fields], analyzer).scores(queries)
        yield f"| one text, title x{times[0]}, keywords x{times[2]} | {measured.cells(scores)} |"
    several = [_bm25(texts, analyzer).scores(queries) for texts in zip(*fields, strict=True)]
    for weights in SUMMED:
        total = np.tensordot(np.array(weights, dtype=np.float32), np.stack(several), axes=1)
        names = ", ".join(f"{weight:g}" for weight in weights)
        yield f"| sum of title, text, keywords: {names} | {measured.cells(total)} |"


def _with_abstracts(task: Task) -> Task:
    """The task among the documents that have a text, to which each of its answers belongs."""
    corpus = task.corpus
    rows = [row for row, text in enumerate(corpus.texts) if text]
    place = {row: at for at, row in enumerate(rows)}
    parts = [tuple(part[row] for row in rows) for part in (corpus.ids, corpus.titles, corpus.texts)]
    queries = tuple(
        replace(query, relevant=tuple(place[row] for row in query.relevant))
        for query in task.queries
    )
    return replace(task, corpus=Corpus(*parts), queries=queries)


def articles(path: Path, every: int, analyzer: WordAnalyzer) -> Iterator[str]:
    """The lines of the table for questions about whole articles."""
    found = Articles.read([path], every)
    questions = [one.text for one in found.questions]
    rows = {one.id: row for row, one in enumerate(found.documents)}
    wanted = [rows[one.document] for one in found.questions]
    cuts = [cut(one, analyzer) for one in found.documents]
    owners = np.array([row for row, one in enumerate(cuts) for _ in one.spans])
    for times in (1, 2, 3, 5, 0):
        heads = [
            _repeated((one.title, one.body, ""), (max(times, 1), 1, 0)) for one in found.documents
        ]
        passages = [text for one in cuts for text in _passages(one, times)]
        own = _bm25(heads, analyzer).scores(questions)
        parts = _bm25(passages, analyzer).scores(questions)
        best = own.copy()
        for line, scores in zip(best, parts, strict=True):
            np.maximum.at(line, owners, scores)
        name = f"title x{times} in row and passages" if times else "title x1 in the row only"
        yield f"| articles: {name} | {_of_rows(best, wanted)} | |"


def _passages(one: Cut, times: int) -> list[str]:
    title, body = f"{one.document.title}\n" * times, one.document.body
    return [f"{title}{span.section}\n{body[span.start : span.end]}" for span in one.spans]


def _repeated(fields: tuple[str, str, str], times: tuple[int, int, int]) -> str:
    return "\n".join(text for text, n in zip(fields, times, strict=True) for _ in range(n) if text)


def _bm25(texts: Sequence[str], analyzer: WordAnalyzer) -> Bm25:
    return Bm25(texts, analyzer.document_words, analyzer.query_words)


def _of_rows(scores: Scores, wanted: Sequence[int]) -> str:
    ranks = [
        1 + int((line > line[row]).sum()) if line[row] > 0 else DEPTH
        for line, row in zip(scores, wanted, strict=True)
    ]
    mrr = np.mean([1 / rank if rank <= 10 else 0.0 for rank in ranks])
    recalled = np.mean([rank <= 100 for rank in ranks])
    return f"{100 * mrr:.1f} | {100 * recalled:.1f}"


def _reciprocal(order: Sequence[str], wanted: str) -> float:
    best = list(order[:10])
    return 1 / (1 + best.index(wanted)) if wanted in best else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.field_weights")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="of SQuAD's form")
    parser.add_argument("--alone", action="store_true", help="papers with abstracts only")
    parser.add_argument("--every", type=int, default=1, help="asks each n-th question only")
    options = parser.parse_args()
    analyzer = WordAnalyzer()
    print("| words | MRR@10 | recall@100 | with the dense leg: MRR@10 |\n|---|---|---|---|")
    for line in natural(analyzer, alone=options.alone):
        print(line, flush=True)
    for path in options.files:
        for line in articles(path, options.every, analyzer):
            print(line, flush=True)


if __name__ == "__main__":
    main()
