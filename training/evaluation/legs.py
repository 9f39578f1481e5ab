"""The legs of the offline table: exact dense search, BM25 over words, and their fusions."""

from pathlib import Path

from services.common.engine import Encoder
from services.common.text import WordAnalyzer
from services.recall.domain import DENSE_WEIGHT, Fusion, fuse
from training.evaluation.exact import DEPTH
from training.evaluation.metrics import Qrels
from training.evaluation.pools import found_by_legs, found_by_words
from training.evaluation.tasks import Task

LEXICAL = "BM25"
DENSE = "dense"
HYBRID = "hybrid"
HYBRID_RRF = "hybrid (RRF)"

Rankings = dict[str, dict[str, list[str]]]
"""Leg -> query id -> document ids, best first."""


def qrels_of(task: Task) -> Qrels:
    ids = task.corpus.ids
    return {query.id: {ids[row]: 1 for row in query.relevant} for query in task.queries}


def rank_with_words(task: Task, analyzer: WordAnalyzer) -> Rankings:
    """BM25 alone."""
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
    dense_weight: float = DENSE_WEIGHT,
) -> Rankings:
    """BM25, dense, and both fusions of the two as recall fuses."""
    fusions = {
        HYBRID: Fusion(dense_weight=dense_weight),
        HYBRID_RRF: Fusion("reciprocal_rank"),
    }
    rankings: Rankings = {LEXICAL: {}, DENSE: {}, HYBRID: {}, HYBRID_RRF: {}}
    for found in found_by_legs(task, analyzer, encoder, cache):
        query = found.query.id
        rankings[LEXICAL][query] = [each.id for each in found.lexical]
        rankings[DENSE][query] = [each.id for each in found.dense]
        for name, fusion in fusions.items():
            fused = fuse(found.dense, found.lexical, DEPTH, fusion)
            rankings[name][query] = [each.document.id for each in fused]
    return rankings
