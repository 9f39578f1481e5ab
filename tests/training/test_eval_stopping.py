"""The rule of stopping, fitted on queries whose answers are known."""

import numpy as np
import pytest

from services.common.wire.rank import RankCandidate
from services.rank.blend import Blend
from services.rank.features import NAMES
from services.rank.stopping import StopRule
from training.evaluation.phases import Pool
from training.evaluation.stopping import _largest, fit_stopping, simulate

_DEPTH = 12
_BLEND = Blend(
    coarse=(1.0, *(0.0 for _ in NAMES[1:])),
    coarse_bias=0.0,
    fine=8.0,
    fine_coarse=1.0,
    fine_bias=-4.0,
)


def pool(number: int, *, lead: float, corrected: bool) -> Pool:
    """Candidates of falling coarse scores, of which the first leads. The ranker puts the relevant
    one first: the first itself, or the fourth where it has to correct."""
    chance = np.random.default_rng(number)
    features = np.zeros((_DEPTH, len(NAMES)))
    features[:, 0] = -0.2 * np.arange(_DEPTH)
    features[0, 0] += lead
    relevant = np.zeros(_DEPTH, dtype=np.bool_)
    relevant[3 if corrected else 0] = True
    found = [
        RankCandidate(id=f"{number}-{at}", title="", text="", score=0.0) for at in range(_DEPTH)
    ]
    one = Pool("task", f"query {number}", found, features, 1.0, relevant)
    one.fine[:] = np.where(relevant, 4.0, -4.0) + chance.normal(0.0, 0.3, _DEPTH)
    return one


def test_clear_answers_are_not_read_and_doubtful_ones_are() -> None:
    clear = [pool(number, lead=12.0, corrected=False) for number in range(40)]
    doubtful = [pool(100 + number, lead=0.1, corrected=True) for number in range(40)]
    said: list[str] = []
    fitted = fit_stopping([*clear, *doubtful], _BLEND, _DEPTH, said.append)
    assert fitted is not None
    assert "nothing for 50 % of the queries" in said[-1]
    rule = StopRule(**fitted.model_dump())
    assert simulate(clear, _BLEND, rule, _DEPTH).unread == 1
    outcome = simulate(doubtful, _BLEND, rule, _DEPTH)
    assert outcome.unread == 0
    assert outcome.lost_at_most == pytest.approx(0, abs=0.002)


def test_where_the_ranker_corrects_every_answer_reading_always_begins() -> None:
    wrong = [pool(number, lead=12.0, corrected=True) for number in range(20)]
    strong = Blend(_BLEND.coarse, 0.0, fine=40.0, fine_coarse=1.0, fine_bias=-20.0)
    fitted = fit_stopping(wrong, strong, _DEPTH, lambda _: None)
    assert fitted is not None
    outcome = simulate(wrong, strong, StopRule(**fitted.model_dump()), _DEPTH)
    assert outcome.unread == 0
    assert outcome.read >= 4


def test_a_ranker_without_weight_has_no_rule() -> None:
    silent = Blend(_BLEND.coarse, 0.0, fine=0.0, fine_coarse=1.0, fine_bias=0.0)
    assert (
        fit_stopping([pool(0, lead=1.0, corrected=False)], silent, _DEPTH, lambda _: None) is None
    )


def test_a_task_of_few_queries_does_not_choose_the_rule() -> None:
    few, many = ["short"] * 10, ["natural:ask"] * 60 + ["natural_others:ask"] * 60
    lost = np.array([0.5] * 10 + [0.001] * 120)
    assert _largest([*few, *many], lost) == pytest.approx(0.001)
    assert _largest(few, lost[:10]) == pytest.approx(0.5)
