"""Whether the fine phase is worth its time."""

import numpy as np
import pytest

from training.evaluation.phases import _worth_it

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
