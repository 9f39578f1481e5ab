"""The figures of answers, and when a loss in them is neither tolerance nor chance."""

import random
from collections.abc import Callable

import pytest

from services.indexer.index.gate.verdict import Answer, Answered, Verdict, answer_of, judge, looks

VALUES = [1.0, 0.5, 0.33, 0.1, 0.0]
"""Reciprocal ranks that answers of the tests have."""


def answered(old: list[float], new: list[float]) -> list[Answered]:
    pairs = zip(old, new, strict=True)
    return [
        Answered(f"查询{number}", Answer(before, 1.0), Answer(now, 1.0))
        for number, (before, now) in enumerate(pairs)
    ]


def verdict(old: list[float], new: list[float], tolerance: float = 0.02) -> Verdict:
    return judge(answered(old, new), len(old), tolerance)


def asked(queries: int, draw: Callable[[], tuple[float, float]]) -> tuple[int, bool]:
    """How many queries are asked, as a rebuild does it, and whether the new index is refused."""
    pairs = [draw() for _ in range(queries)]
    both = answered([old for old, _ in pairs], [new for _, new in pairs])
    for count in looks(queries):
        if judge(both[:count], queries, 0.02).worse:
            return count, True
    return queries, False


def found(*scores: float) -> tuple[list[str], list[tuple[str, float]]]:
    """An answer of documents d0, d1 and so on with these scores, best first."""
    best = [(f"d{number}", score) for number, score in enumerate(scores)]
    return [one for one, _ in best], best


def test_figures_of_an_answer() -> None:
    assert answer_of(*found(0.9, 0.8, 0.7), ["d1", "z"]) == Answer(0.5, 0.5)
    falling = [1 - number / 100 for number in range(50)]
    assert answer_of(*found(*falling), ["d20"]) == Answer(0.0, 1.0)
    assert answer_of(*found(*falling), ["d30", "d9", "d4"]) == Answer(0.2, 1.0)
    assert answer_of([], [], ["a"]) == Answer(0.0, 0.0)


def test_the_order_of_equal_documents_is_no_difference() -> None:
    ids = [f"d{number}" for number in range(20)]
    for seed in range(20):
        random.Random(seed).shuffle(ids)
        equal = [("better", 0.9), *((one, 0.8 + seed * 1e-8) for one in ids)]
        assert answer_of([one for one, _ in equal], equal, ["d7"]) == Answer(0.5, 1.0)


def test_a_loss_beyond_tolerance_and_chance_is_told_with_the_queries() -> None:
    refused = verdict([1.0] * 20, [1.0] * 12 + [0.0] * 8)
    assert refused.worse
    assert "MRR@10 1.000 before, 0.600 now" in refused.figures
    assert "查询12" in refused.queries


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([1.0] * 20, [1.0] * 20),
        ([0.5] * 20, [1.0] * 20),
        ([1.0] * 200, [1.0] * 197 + [0.0] * 3),  # within the tolerance
        ([1.0] * 20, [1.0] * 18 + [0.0] * 2),  # two of twenty: chance explains that
        ([1.0] * 5, [0.0] * 5),  # chance turns all of five in one of 32 cases
        ([1.0, 0.0] * 10, [0.0, 1.0] * 10),
    ],
)
def test_what_is_no_worse_passes(old: list[float], new: list[float]) -> None:
    assert not verdict(old, new).worse


def test_six_queries_are_the_fewest_that_refuse() -> None:
    assert verdict([1.0] * 6, [0.0] * 6).worse


def test_documents_that_are_no_longer_found_are_a_loss_too() -> None:
    lost = [Answered("查询", Answer(1.0, 1.0), Answer(1.0, 0.5))] * 10
    assert judge(lost, len(lost), 0.02).worse


@pytest.mark.parametrize(
    ("queries", "counts"),
    [
        (1, [1]),
        (25, [25]),
        (26, [25, 26]),
        (300, [25, 50, 100, 200, 300]),
        (2000, [25, 50, 100, 200, 400, 800, 1600, 2000]),
    ],
)
def test_looks_double_up_to_all_queries(queries: int, counts: list[int]) -> None:
    assert looks(queries) == counts


def test_an_early_look_needs_a_loss_that_chance_hardly_explains() -> None:
    old, new = [1.0] * 25, [0.0] * 7 + [1.0] * 18  # p 1/128
    assert judge(answered(old, new), 25, 0.02).worse
    assert not judge(answered(old, new), 300, 0.02).worse


def test_equal_indexes_are_seldom_refused_at_any_look() -> None:
    """Answers of both are drawn from the same distribution."""
    chance = random.Random(1)
    outcomes = [
        asked(120, lambda: (chance.choice(VALUES), chance.choice(VALUES))) for _ in range(200)
    ]
    refused = sum(worse for _, worse in outcomes)
    print(f"{refused} of {len(outcomes)} refused")
    assert refused <= 10


def test_a_ruined_index_is_refused_after_few_queries_and_a_poorer_one_at_the_end() -> None:
    chance = random.Random(2)
    ruined = [asked(300, lambda: (1.0, float(chance.random() < 0.5))) for _ in range(50)]
    assert all(worse and count <= 50 for count, worse in ruined)
    # One answer in ten gets worse and one in thirty better: a loss of 0.067 in the mean.
    poorer = [
        asked(300, lambda: chance.choice([(1, 0)] * 3 + [(0, 1)] + [(1, 1)] * 26))
        for _ in range(50)
    ]
    print(f"{sum(worse for _, worse in poorer)} of {len(poorer)} refused")
    assert sum(worse for _, worse in poorer) >= 35
