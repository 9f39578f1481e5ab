"""AUC of a ranker on held-out web judgements (QBQTC): how well it tells relevant pairs from
others."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from services.common.engine import Ranker
from training.data.judged import read_graded
from training.data.splits import held_out_query
from training.evaluation.literature import WEB_RELEVANCE
from training.evaluation.tasks import data_file

_TOP_GRADE = 2


@dataclass(frozen=True, slots=True)
class Discrimination:
    """AUC at both cuts of the grades 0 (irrelevant), 1 (relevant) and 2 (exactly matching)."""

    pairs: int
    relevant: float
    """AUC of grades 1 and 2 against 0."""
    exact: float
    """AUC of grade 2 against 0 and 1."""

    def __str__(self) -> str:
        return (
            f"AUC {self.relevant:.3f} (grade >= 1), {self.exact:.3f} (grade 2)"
            f" on {self.pairs:,} pairs"
        )

    def as_json(self) -> dict[str, float]:
        return {"pairs": self.pairs, "auc_relevant": self.relevant, "auc_exact": self.exact}


def auc(relevant: Sequence[bool], scores: NDArray[np.float32]) -> float:
    """Probability that a relevant pair scores above another one; ties count half.

    NaN if all pairs are of one kind.
    """
    if len(set(relevant)) < 2:
        return float("nan")
    return float(roc_auc_score(relevant, scores))


def ranker_auc(ranker: Ranker, data_dir: Path, sample: int | None = None) -> Discrimination:
    """AUC of a ranker on the held-out web judgements. Raises DataMissing."""
    graded = [
        (judged.query, judged.texts[0], judged.grade)
        for judged in read_graded(data_file(data_dir, WEB_RELEVANCE), _TOP_GRADE)
        if held_out_query(judged.query)
    ][:sample]
    scores = np.concatenate(
        [
            ranker.score(query, [ranker.manifest.document_text(title, "") for _, title, _ in rows])
            for query, group in groupby(graded, key=lambda row: row[0])
            for rows in [list(group)]
        ]
    )
    return Discrimination(
        pairs=len(graded),
        relevant=auc([grade > 0 for *_, grade in graded], scores),
        exact=auc([grade == 1 for *_, grade in graded], scores),
    )
