"""Batches of examples that are alike."""

from collections import Counter

import numpy as np
import pytest

from services.common.engine.predictor import FloatArray
from training.data.likeness import likeness_by_words
from training.data.neighbours import GROUP, neighbourhoods
from training.data.stream import Batching
from training.failures import DataInvalid

TOPICS, EACH = 8, 60


@pytest.fixture
def vectors() -> FloatArray:
    """Rows of eight topics far from each other, in turns."""
    rng = np.random.default_rng(0)
    topics = rng.standard_normal((TOPICS, 16)) * 10
    rows = topics[np.arange(TOPICS * EACH) % TOPICS] + rng.standard_normal((TOPICS * EACH, 16))
    return rows.astype(np.float32)


def test_a_neighbourhood_is_of_few_topics(
    vectors: FloatArray,
) -> None:
    near = neighbourhoods(vectors, np.random.default_rng(1))
    assert sorted(np.concatenate(near)) == list(range(len(vectors)))
    assert max(len(rows) for rows in near) <= GROUP
    # Sixty rows at random would be of all eight.
    assert all(len({row % TOPICS for row in rows.tolist()}) <= 3 for rows in near)


def test_equal_vectors_are_divided_too() -> None:
    near = neighbourhoods(np.ones((GROUP * 4, 3), np.float32), np.random.default_rng(1))
    assert sorted(np.concatenate(near)) == list(range(GROUP * 4))
    assert max(len(rows) for rows in near) <= GROUP


@pytest.mark.parametrize(
    ("text", "count"), [("甲", 5), ("甲乙", 5), ("国有企业改革", 1_200)], ids=["one", "two", "many"]
)
def test_documents_without_a_difference_are_told(text: str, count: int) -> None:
    with pytest.raises(DataInvalid, match="nothing that tells the documents apart"):
        likeness_by_words({str(at): text for at in range(count)}, seed=1)


def test_batches_of_neighbours_keep_every_limit(
    vectors: FloatArray,
) -> None:
    batching: Batching[int] = Batching(
        size=32,
        tokens=320,
        length=lambda row: 5 + row % 11,
        group=lambda row: row < 100,
        vectors=lambda rows: vectors[list(rows)],
    )
    batches = batching.batches(range(len(vectors)), np.random.default_rng(1))
    assert Counter(row for batch in batches for row in batch) == Counter(range(len(vectors)))
    for batch in batches:
        assert len(batch) <= 32
        assert len(batch) * max(5 + row % 11 for row in batch) <= 320
        assert len({row < 100 for row in batch}) == 1
