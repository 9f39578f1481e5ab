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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.article_index import DEPTH, ArticleIndex, Scores
from benchmarks.articles import Articles, Question
from services.common.blend import read_weights
from services.common.engine import (
    PredictorOptions,
    batched_ranker,
    open_encoder,
    open_ranker,
)
from services.common.request_context import Deadline
from services.common.text import WordAnalyzer
from services.common.text.passages import OVERLAP_BYTES, SIZE_BYTES
from services.common.wire.rank import RankCandidate
from services.indexer.passages import Cut, cut
from services.rank.blend import Blend
from services.rank.phases import RankingPhases
from services.rank.ranker import EngineRanker
from services.rank.settings import RankSettings
from services.rank.stopping import StopRule
from services.recall.domain import Found
from services.recall.legs.fusion import Fused, Fusion, fuse
from services.recall.legs.query_fusion import QueryFusion

MODELS = Path("models")
FIRST = 10


@dataclass(slots=True)
class Figures:
    reciprocal: float = 0.0
    shown: int = 0
    questions: int = 0

    def add(self, question: Question, found: Sequence[Found], index: ArticleIndex) -> None:
        """Notes the answer of one question, the best document first."""
        self.questions += 1
        for rank, one in enumerate(found[:FIRST], start=1):
            if one.id == question.document:
                self.reciprocal += 1 / rank
                text = index.shown(one)
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
        index = ArticleIndex(articles, cuts, encoder, analyzer)
        legs, hybrid = _measured(index, questions, vectors, analyzer)
        print(
            f"| {name} | {len(index):,} | {' | '.join(one.cells() for one in legs)} |", flush=True
        )
        if options.ranked:
            asked = [*zip(questions, hybrid, strict=True)][
                :: max(1, len(questions) // options.ranked)
            ]
            print(f"| {name}, ranked | | | | | | {asyncio.run(_ranked(index, asked)).cells()} |")


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
    index: ArticleIndex, questions: Sequence[Question], vectors: Scores, analyzer: WordAnalyzer
) -> tuple[list[Figures], list[list[Fused]]]:
    weights = read_weights()
    by_query = QueryFusion.of(weights)
    figures = [Figures(), Figures(), Figures()]
    orders = []
    texts = [one.text for one in questions]
    for question, (dense, lexical) in zip(questions, index.legs(texts, vectors), strict=True):
        share = by_query.dense_weight(
            question.text,
            [_with_text(index, one) for one in dense[:1]] + dense[1:],
            [_with_text(index, one) for one in lexical[:1]] + lexical[1:],
            analyzer,
        )
        fused = fuse(dense, lexical, DEPTH, Fusion(dense_weight=share))
        hybrid = [one.document for one in fused]
        for figure, found in zip(figures, (dense, lexical, hybrid), strict=True):
            figure.add(question, found, index)
        orders.append(fused[:200])
    return figures, orders


async def _ranked(index: ArticleIndex, asked: Sequence[tuple[Question, list[Fused]]]) -> Figures:
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
                    text=index.read_by_rank(one.document),
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
            figures.add(question, [by_id[hit.id] for hit in ranked.hits], index)
    return figures


def _with_text(index: ArticleIndex, found: Found) -> Found:
    return found._replace(title=found.id, text=index.read_by_rank(found))


if __name__ == "__main__":
    main()
