"""Whether the fine phase is worth its time, and what counts how much in the fits."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from services.common.wire.rank import RankCandidate
from services.rank.features import NAMES
from training.evaluation.listwise import Sample, fit
from training.evaluation.phases import Pool, _worth_it, balance

_TASKS = ["words"] * 400 + ["natural:ask"] * 100 + ["natural:en"] * 100


@pytest.mark.parametrize(
    ("words", "natural", "on"),
    [
        (0.0, 0.05, True),  # a mean over all tasks would be 0.017
        (0.0, 0.0, False),
        (0.0, 0.02, False),  # as much as chance gives
        (-0.03, 0.05, False),
        (-0.005, 0.05, True),  # as little as chance takes
    ],
)
def test_the_fine_phase_must_win_on_a_task_and_lose_on_none(
    words: float, natural: float, on: bool
) -> None:
    spread = 0.2 * np.tile([1.0, -1.0], 300)
    gained = spread + np.where(np.array(_TASKS) == "words", words, natural)
    said: list[str] = []
    assert _worth_it(_TASKS, gained, said.append) is on
    assert [line.split(",")[1].split(":")[0] for line in said] == [" words", " natural"]


def _pool(texts: Sequence[bool], *answers: int) -> Pool:
    """A query with candidates that have a text or none, of which some answer."""
    found = [
        RankCandidate(id=str(at), title="题", text="文" if text else "", score=0.0)
        for at, text in enumerate(texts)
    ]
    features = np.zeros((len(texts), len(NAMES)))
    features[:, NAMES.index("detail_in_text")] = texts
    return Pool("task", "query", found, features, 1.0, np.isin(np.arange(len(texts)), answers))


def test_answers_with_a_text_and_bare_titles_weigh_alike_in_all() -> None:
    with_text = [_pool([True, False], 0) for _ in range(6)]
    bare = [_pool([True, False], 1) for _ in range(4)]
    # Where candidates are of one form, or none or both answer, there is nothing to balance.
    others = [
        _pool([False, False], 0),
        _pool([True, True], 1),
        _pool([True, False]),
        _pool([True, False], 0, 1),
        replace(_pool([True, False], 0), detail=0.0),  # Titles meet it as well as texts do.
    ]
    balance([*with_text, *bare, *others])
    assert {pool.weight for pool in bare} == {1.5}
    assert {pool.weight for pool in [*with_text, *others]} == {1.0}


def test_a_form_that_answers_as_often_in_weight_gets_no_advantage() -> None:
    with_text = [_pool([True, False], 0) for _ in range(60)]
    bare = [_pool([True, False], 1) for _ in range(40)]
    at = NAMES.index("detail_in_text")

    def weight() -> float:
        pools = [*with_text, *bare]
        return float(
            fit([Sample(one.features, one.relevant, one.weight) for one in pools]).weights[at]
        )

    assert weight() > 0.1
    balance([*with_text, *bare])
    assert weight() == pytest.approx(0, abs=0.01)
