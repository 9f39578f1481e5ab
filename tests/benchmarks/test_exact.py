"""The exact searches beside which the engine's are measured, and the documents that both search."""

from itertools import islice

import numpy as np
import pytest

from benchmarks.exact import lexical_scores, recall
from benchmarks.repeated_sample import repeated
from services.indexer.rows import document_words
from tests.analyzers import ANALYZER

SCORES = np.array([3.0, 1.0, 2.0, 2.0, 0.0], dtype=np.float32)


@pytest.mark.parametrize(
    ("found", "most", "expected"),
    [
        (["g0", "g2"], 2, 1.0),
        (["g0", "g3"], 2, 1.0),  # equal to the last of the best
        (["g0", "g1"], 2, 0.5),
        (["g0", "g0"], 2, 0.5),
        (["g0", "g1", "g2", "g3"], 5, 1.0),  # no more have a positive score
        (["g0", "g2", "g3", "g4"], 5, 0.75),
    ],
)
def test_recall_counts_the_best(found: list[str], most: int, expected: float) -> None:
    assert recall(SCORES, found, most) == expected


def test_no_two_documents_are_equal() -> None:
    documents = list(islice(repeated(18_001), 9_000, None))
    assert len({one.id for one in documents}) == len(documents)
    assert documents[0].title == f"{next(repeated(1)).title} (1)"
    assert documents[-1].title == f"{next(repeated(1)).title} (2)"


def test_a_document_has_the_best_score_for_its_own_words() -> None:
    own = document_words(next(islice(repeated(20), 7, None)), ANALYZER).split(" ")
    absent = next(iter(lexical_scores(20, [["没有这个词"]])))
    [scores] = lexical_scores(20, [list(dict.fromkeys(own))])
    assert scores.argmax() == 7
    assert not absent.any()
