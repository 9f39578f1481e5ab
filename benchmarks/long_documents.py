"""Measures how whole articles are found by questions, and whether the passage that is shown holds
the answer: for what the encoder reads of a beginning, for the first passages, and for all of them.

The input is a file of the form of SQuAD, such as DRCD (github.com/DRCKnowledgeTeam/DRCD). Each
article is a document, its paragraphs are the body; each question is a query, for which its own
article is right. Search is exact, with the encoder, the words, the fusion and the grouping of the
services; `--ranked` questions go through the phases of ranking, too.

    python -m benchmarks.long_documents DRCD_dev.json DRCD_test.json --ranked 100
"""

import argparse
import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.common.blend import read_weights
from services.common.collection import PassageKey
from services.common.documents import Document, lead, lexical_source
from services.common.engine import (
    Encoder,
    PredictorOptions,
    batched_ranker,
    open_encoder,
    open_ranker,
)
from services.common.request_context import Deadline
from services.common.text import WordAnalyzer
from services.common.text.passages import OVERLAP_BYTES, SIZE_BYTES
from services.common.wire.rank import MAX_TEXT_CHARS, RankCandidate
from services.indexer.passages import Cut, cut
from services.rank.blend import Blend
from services.rank.phases import RankingPhases
from services.rank.ranker import EngineRanker
from services.rank.settings import RankSettings
from services.rank.stopping import StopRule
from services.recall.domain import Found, Fused, Fusion, fuse
from services.recall.fusion import QueryFusion
from services.recall.passages import PassageFound, by_best_passage
from training.evaluation.bm25 import Bm25

MODELS = Path("models")
DEPTH = 1000
FIRST = 10
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    answers: list[str]
    document: str


@dataclass(frozen=True, slots=True)
class Articles:
    documents: list[Document]
    questions: list[Question]

    @classmethod
    def read(cls, paths: Sequence[Path], every: int) -> "Articles":
        """Articles of the same title are one document; of the questions each `every`-th counts."""
        bodies: dict[str, list[str]] = {}
        questions = []
        for path in paths:
            for article in json.loads(path.read_text("utf-8"))["data"]:
                for paragraph in article["paragraphs"]:
                    bodies.setdefault(article["title"], []).append(paragraph["context"])
                    for one in paragraph["qas"]:
                        answers = [each["text"] for each in one["answers"]]
                        questions.append(Question(one["question"], answers, article["title"]))
        documents = [
            Document(id=title, title=title, body="\n\n".join(body))
            for title, body in bodies.items()
        ]
        return cls(documents, questions[::every])


class Way:
    """One way to index the articles, and what it finds."""

    def __init__(
        self, articles: Articles, passages: Sequence[Cut], encoder: Encoder, analyzer: WordAnalyzer
    ) -> None:
        self._articles = articles
        self._analyzer = analyzer
        manifest = encoder.manifest
        documents = articles.documents
        self.texts = {one.id: lead(one)[: 2 * encoder.manifest.max_tokens] for one in documents}
        self.parts = {one.document.id: one for one in passages}
        self._keys = [
            PassageKey(one.document.id, 0, number)
            for one in passages
            for number in range(len(one.spans))
        ]
        heads = [manifest.document_text(one.title, lead(one)) for one in documents]
        rendered = [text for one in passages for text in one.rendered(manifest)]
        vectors = encoder.encode([*heads, *rendered])
        self._heads, self._passages = vectors[: len(heads)], vectors[len(heads) :]
        self._head_words = _bm25(
            [f"{lexical_source(one)}\n{one.body}" for one in documents], analyzer
        )
        texts = [words for one in passages for words in _sources(one)]
        self._passage_words = _bm25(texts, analyzer) if texts else None

    def __len__(self) -> int:
        return len(self._keys)

    def legs(
        self, queries: Sequence[str], vectors: Scores
    ) -> Iterator[tuple[list[Found], list[Found]]]:
        """What the dense and the lexical leg find for each query."""
        for query, vector in zip(queries, vectors, strict=True):
            dense = self._leg(self._heads @ vector, self._passages @ vector)
            none = np.zeros(0, np.float32)
            words = self._passage_words.scores([query])[0] if self._passage_words else none
            yield (
                dense,
                [one for one in self._leg(self._head_words.scores([query])[0], words) if one.score],
            )

    def _leg(self, heads: Scores, passages: Scores) -> list[Found]:
        documents = self._articles.documents
        own = [Found(documents[at].id, float(heads[at])) for at in _best(heads)]
        found = [PassageFound(self._keys[at], float(passages[at])) for at in _best(passages)]
        return by_best_passage(own, found, {one.id: 0 for one in documents})[:DEPTH]

    def shown(self, found: Found) -> str:
        """The text of a hit: its best passage, or the beginning that the encoder reads."""
        parts = self.parts.get(found.id)
        if not found.passages or parts is None:
            return self.texts[found.id]
        span = parts.spans[found.passages[0][0]]
        return parts.document.body[span.start : span.end]

    def read_by_rank(self, found: Found) -> str:
        """What rank reads of a document beside its title."""
        parts = self.parts.get(found.id)
        if not found.passages or parts is None:
            return self.texts[found.id]
        spans = [parts.spans[number] for number, _ in found.passages[:2]]
        texts = [parts.document.body[one.start : one.end].strip() for one in spans]
        return "\n".join(texts)[:MAX_TEXT_CHARS]


@dataclass(slots=True)
class Figures:
    reciprocal: float = 0.0
    shown: int = 0
    questions: int = 0

    def add(self, question: Question, found: Sequence[Found], way: Way) -> None:
        """Notes the answer of one question, the best document first."""
        self.questions += 1
        for rank, one in enumerate(found[:FIRST], start=1):
            if one.id == question.document:
                self.reciprocal += 1 / rank
                text = way.shown(one)
                self.shown += any(answer in text for answer in question.answers)

    def cells(self) -> str:
        parts = (self.reciprocal, self.shown)
        return " | ".join(f"{100 * part / self.questions:.1f}" for part in parts)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.long_documents", description=__doc__
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="of SQuAD's form")
    parser.add_argument("--every", type=int, default=1, help="asks each n-th question only")
    parser.add_argument("--sizes", default=f"{SIZE_BYTES}/{OVERLAP_BYTES}",
                        metavar="BYTES/REPEATED,...", help="of the passages")  # fmt: skip
    parser.add_argument("--first", type=int, default=3, help="passages of the way that has few")
    parser.add_argument("--ranked", type=int, default=0, help="questions that are ranked, too")
    options = parser.parse_args()
    articles = Articles.read(options.files, options.every)
    encoder, analyzer = open_encoder(MODELS / "literature-encoder"), WordAnalyzer()
    questions = articles.questions
    vectors = encoder.encode_queries([one.text for one in questions])
    print(f"{len(articles.documents):,} articles, {len(questions):,} questions\n")
    print("| | passages | dense: MRR@10 | shown | lexical | shown | hybrid | shown |")
    print("|---|---|---|---|---|---|---|---|")
    for name, cuts in _ways(articles, analyzer, options.sizes, options.first):
        way = Way(articles, cuts, encoder, analyzer)
        legs, hybrid = _measured(way, questions, vectors, analyzer)
        print(f"| {name} | {len(way):,} | {' | '.join(one.cells() for one in legs)} |", flush=True)
        if options.ranked:
            asked = [*zip(questions, hybrid, strict=True)][
                :: max(1, len(questions) // options.ranked)
            ]
            print(f"| {name}, ranked | | | | | | {asyncio.run(_ranked(way, asked)).cells()} |")


def _ways(
    articles: Articles, analyzer: WordAnalyzer, sizes: str, first: int
) -> Iterator[tuple[str, list[Cut]]]:
    yield "what the encoder reads of the beginning", []
    for each in sizes.split(","):
        size, overlap = map(int, each.split("/"))
        cuts = [cut(one, analyzer, size=size, overlap=overlap) for one in articles.documents]
        few = [Cut(one.document, one.spans[:first], one.words[:first]) for one in cuts]
        yield f"the first {first} passages of {size} bytes", few
        yield f"all passages of {size} bytes, {overlap} repeated", cuts


def _measured(
    way: Way, questions: Sequence[Question], vectors: Scores, analyzer: WordAnalyzer
) -> tuple[list[Figures], list[list[Fused]]]:
    weights = read_weights()
    by_query = QueryFusion.of(weights)
    figures = [Figures(), Figures(), Figures()]
    orders = []
    texts = [one.text for one in questions]
    for question, (dense, lexical) in zip(questions, way.legs(texts, vectors), strict=True):
        share = by_query.dense_weight(
            question.text,
            [_with_text(way, one) for one in dense[:1]] + dense[1:],
            [_with_text(way, one) for one in lexical[:1]] + lexical[1:],
            analyzer,
        )
        fused = fuse(dense, lexical, DEPTH, Fusion(dense_weight=share))
        hybrid = [one.document for one in fused]
        for figure, found in zip(figures, (dense, lexical, hybrid), strict=True):
            figure.add(question, found, way)
        orders.append(fused[:200])
    return figures, orders


async def _ranked(way: Way, asked: Sequence[tuple[Question, list[Fused]]]) -> Figures:
    settings, weights = RankSettings(), read_weights()
    figures = Figures()
    ranker = open_ranker(MODELS / "literature-ranker", PredictorOptions())
    async with batched_ranker(ranker, queued_tokens=settings.queued_tokens) as batched:
        phases = RankingPhases(
            EngineRanker(batched),
            WordAnalyzer(),
            Blend.of(weights),
            duplicate=settings.duplicate,
            depth=settings.keep,
            stop=StopRule.of(weights),
        )
        for question, fused in asked:
            candidates = [
                RankCandidate(
                    id=one.document.id,
                    title=one.document.id,
                    text=way.read_by_rank(one.document),
                    dense=one.dense,
                    lexical=one.lexical,
                    score=one.score,
                )
                for one in fused
            ]
            ranked = await phases.rank(
                question.text,
                candidates,
                top_k=FIRST,
                diversity=0.0,
                explain=False,
                deadline=Deadline.after(600),
            )
            by_id = {one.document.id: one.document for one in fused}
            figures.add(question, [by_id[hit.id] for hit in ranked.hits], way)
    return figures


def _with_text(way: Way, found: Found) -> Found:
    return found._replace(title=found.id, text=way.read_by_rank(found))


def _sources(parts: Cut) -> list[str]:
    document = parts.document
    return [
        f"{document.title}\n{span.section}\n{document.body[span.start : span.end]}"
        for span in parts.spans
    ]


def _bm25(texts: Sequence[str], analyzer: WordAnalyzer) -> Bm25:
    return Bm25(texts, analyzer.document_words, analyzer.query_words)


def _best(scores: Scores) -> list[int]:
    order: list[int] = np.argsort(-scores, kind="stable").tolist()
    return list(islice(order, DEPTH))


if __name__ == "__main__":
    main()
