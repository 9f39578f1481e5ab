"""The legs of the offline table: exact dense search, BM25 over words, and their fusions."""

from pathlib import Path

from services.common.blend import read_weights
from services.common.engine import Encoder, Ranker
from services.common.text import WordAnalyzer
from services.recall.legs.fusion import Fusion, fuse
from training.evaluation.exact import DEPTH
from training.evaluation.metrics import Qrels
from training.evaluation.pools import (
    candidates,
    constant_fusion,
    found_by_legs,
    found_by_words,
    fused_by,
)
from training.evaluation.reranking import Reranking
from training.evaluation.tasks import Task

LEXICAL = "BM25"
DENSE = "dense"
HYBRID = "hybrid"
HYBRID_RRF = "hybrid (RRF)"

Rankings = dict[str, dict[str, list[str]]]
"""Document ids, best first, by leg and query id."""


def qrels_of(task: Task) -> Qrels:
    ids = task.corpus.ids
    return {query.id: {ids[row]: 1 for row in query.relevant} for query in task.queries}


def rank_with_words(task: Task, analyzer: WordAnalyzer) -> Rankings:
    """The order of the documents by BM25 alone."""
    return {
        LEXICAL: {
            query.id: [each.id for each in found] for query, found in found_by_words(task, analyzer)
        }
    }


def rank_with_legs(
    task: Task,
    analyzer: WordAnalyzer,
    encoder: Encoder,
    *,
    cache: Path | None,
    dense_weight: float | None = None,
    ranker: Ranker | None = None,
    rank_depth: int = 50,
) -> Rankings:
    """BM25, dense, both fusions of the two as recall fuses, and the rows of a ranker.

    Without a constant `dense_weight` the fitted weights give the dense leg's share of each query.
    The ranker by itself reads `rank_depth` candidates.
    """
    weights = read_weights()
    reranking = (
        None if ranker is None else Reranking.of(ranker, encoder, weights, analyzer, rank_depth)
    )
    fusion_of = (
        fused_by(weights, analyzer) if dense_weight is None else constant_fusion(dense_weight)
    )
    rankings: Rankings = {LEXICAL: {}, DENSE: {}, HYBRID: {}, HYBRID_RRF: {}}
    for found in found_by_legs(task, analyzer, encoder, cache):
        query = found.query.id
        rankings[LEXICAL][query] = [each.id for each in found.lexical]
        rankings[DENSE][query] = [each.id for each in found.dense]
        fusions = {HYBRID: fusion_of(found), HYBRID_RRF: Fusion("reciprocal_rank")}
        for name, fusion in fusions.items():
            fused = fuse(found.dense, found.lexical, DEPTH, fusion)
            rankings[name][query] = [each.document.id for each in fused]
        if reranking is not None:
            hybrid = candidates(found, fusions[HYBRID])
            for name, order in reranking.orders(found.query.text, hybrid).items():
                rankings.setdefault(name, {})[query] = order
    return rankings
