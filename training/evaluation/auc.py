"""AUC of a ranker on held-out web judgements (QBQTC): how well it tells relevant pairs from
others."""

import math
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
from training.failures import DataInvalid

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
        relevant, exact = (
            "none, as all pairs are of one kind" if math.isnan(value) else f"{value:.3f}"
            for value in (self.relevant, self.exact)
        )
        return f"AUC {relevant} (grade >= 1), {exact} (grade 2) on {self.pairs:,} pairs"

    def as_json(self) -> dict[str, float | None]:
        """The figures; null for an AUC that there is none of, since JSON has no NaN."""
        figures = {"auc_relevant": self.relevant, "auc_exact": self.exact}
        known = {name: None if math.isnan(each) else each for name, each in figures.items()}
        return {"pairs": self.pairs, **known}


def auc(relevant: Sequence[bool], scores: NDArray[np.float32]) -> float:
    """Probability that a relevant pair scores above another one; ties count half.

    NaN if all pairs are of one kind.
    """
    if len(set(relevant)) < 2:
        return float("nan")
    return float(roc_auc_score(relevant, scores))


def ranker_auc(ranker: Ranker, data_dir: Path, sample: int | None = None) -> Discrimination:
    """AUC of a ranker on the held-out web judgements. Raises DataMissing, DataInvalid."""
    graded = [
        (judged.query, judged.texts[0], judged.grade)
        for judged in read_graded(data_file(data_dir, WEB_RELEVANCE), _TOP_GRADE)
        if held_out_query(judged.query)
    ][:sample]
    if not graded:
        raise DataInvalid(f"{WEB_RELEVANCE} has no query that is held out, as one in ten is")
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
