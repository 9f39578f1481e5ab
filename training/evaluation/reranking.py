"""The cross-encoder on top of a recall ranking, without servers."""

from collections.abc import Mapping, Sequence

import numpy as np

from services.common.engine import Ranker
from services.common.engine.predictor import FloatArray
from training.evaluation.tasks import Task

RANKER = "hybrid + ranker"
BLEND = "hybrid + ranker, blended"


def rerank(
    task: Task,
    ranking: Mapping[str, Sequence[str]],
    ranker: Ranker,
    *,
    depth: int,
    ranker_weight: float,
) -> dict[str, dict[str, list[str]]]:
    """RANKER and BLEND: the first `depth` of each ranking in a new order, the rest below.

    The blend adds the ranker's logits and the reciprocal ranks of recall, both stretched to
    [0, 1]. It shows what the ranker can add; serving blends with its own calibrated features.
    """
    row_of = {id_: row for row, id_ in enumerate(task.corpus.ids)}
    result: dict[str, dict[str, list[str]]] = {RANKER: {}, BLEND: {}}
    for query in task.queries:
        found = ranking[query.id]
        head, rest = list(found[:depth]), list(found[depth:])
        texts = [
            ranker.manifest.document_text(task.corpus.titles[row], task.corpus.texts[row])
            for row in (row_of[id_] for id_ in head)
        ]
        logits = ranker.score(query.text, texts)
        recall = np.reciprocal(np.arange(1, len(head) + 1, dtype=np.float32))
        blended = ranker_weight * _stretched(logits) + (1 - ranker_weight) * _stretched(recall)
        for row, scores in ((RANKER, logits), (BLEND, blended)):
            order = np.argsort(-scores, kind="stable")
            result[row][query.id] = [*(head[position] for position in order), *rest]
    return result


def _stretched(scores: FloatArray) -> FloatArray:
    """To [0, 1]; equal scores become 0."""
    low, high = float(scores.min()), float(scores.max())
    return (scores - low) / (high - low if high > low else 1.0)
