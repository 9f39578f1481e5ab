"""Judges by the answers to the same queries whether a new index is worse than the old one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BEST = 10
"""Number of hits in which the first relevant document is looked for."""
DEPTH = 100
"""Number of hits in which all relevant documents are looked for."""
EARLY_CHANCE = 0.001
"""Probability below which a loss in one figure ends the comparison before its last look."""
_FIRST_LOOK = 25
"""Number of answered queries after which the losses are looked at for the first time."""
_CHANCE = 0.05
"""Probability at most with which an index that is no worse is refused, all looks together."""
_FLIPS, _FLIPS_AT_ONCE = 10_000, 1_000
"""Number of times that the signs of the losses are turned at random, and of those in one step."""
_EQUAL = 1e-5
"""Difference up to which two scores are equal. Vectors of the same text differ by as much when it
was encoded beside other texts."""
_SHOWN = 3
"""Number of worse queries that the message names."""

Scored = tuple[str, float]
"""The id of a hit with its score."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The quality of an index's answer to a query."""

    reciprocal: float
    """1 / rank of the first relevant document among the first ten; 0 if none is among them.

    Documents with equal scores share the best of their ranks: an index gives equals in an order
    that chance decides, and that says nothing about the index.
    """
    recall: float
    """Share of the relevant documents among the first hundred."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A query with the answers of both indexes."""

    query: str
    old: Answer
    new: Answer


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answers tell about the new index."""

    worse: bool
    """Whether it loses more than the tolerance and more than chance explains."""
    figures: str
    """Both figures of both indexes with the probabilities of such losses by chance."""
    queries: str
    """A sentence that names queries with worse answers; empty if the index is not worse."""


def answer_of(found: Sequence[str], best: Sequence[Scored], right: Sequence[str]) -> Answer:
    """The figures of one answer: `found` are the ids of recall, `best` those in the final order
    with their scores; both best first."""
    wanted = set(right)
    score = next((score for one, score in best if one in wanted), -math.inf)
    rank = 1 + sum(other > score + _EQUAL for _, other in best)
    hits = len(set(found[:DEPTH]) & wanted)
    there = math.isfinite(score) and rank <= BEST
    return Answer(1 / rank if there else 0.0, hits / len(wanted))


def looks(queries: int) -> list[int]:
    """The numbers of answered queries after which `judge` is asked: 25, twice as many each time,
    and all of them."""
    early: list[int] = []
    while (count := _FIRST_LOOK << len(early)) < queries:
        early.append(count)
    return [*early, queries]


def judge(answered: Sequence[Answered], queries: int, tolerance: float) -> Verdict:
    """Judges the answers at one of the `looks`, when there are at least one and at most `queries`.

    The new index is worse if it loses more than the tolerance in either figure, and signs that are
    turned at random (Fisher's paired test) lose as much so seldom that chance is no explanation.
    That test is made for two figures and at several looks, and each would have a chance to refuse
    an index that is no worse. So an early look needs a probability below 0.001 (the boundary of
    Haybittle and Peto), and what these looks leave of 0.05 is shared by both figures at the last
    one, which holds the sum of all to 0.05 (Bonferroni).
    """
    last = len(answered) == queries
    early = len(looks(queries)) - 1
    level = (_CHANCE - 2 * early * EARLY_CHANCE) / 2 if last else EARLY_CHANCE
    worse, figures = False, []
    for name, values in (
        (f"MRR@{BEST}", [(each.old.reciprocal, each.new.reciprocal) for each in answered]),
        (f"recall@{DEPTH}", [(each.old.recall, each.new.recall) for each in answered]),
    ):
        lost = [old - new for old, new in values]
        before = math.fsum(old for old, _ in values) / len(values)
        mean, chance = math.fsum(lost) / len(lost), _chance(lost)
        figures.append(f"{name} {before:.3f} before, {before - mean:.3f} now (p {chance:.4f})")
        worse = worse or (mean > tolerance and chance < level)
    return Verdict(worse, "; ".join(figures), _worst(answered) if worse else "")


def _worst(answered: Sequence[Answered]) -> str:
    lost = [each.old.reciprocal - each.new.reciprocal for each in answered]
    worst = sorted(range(len(lost)), key=lambda at: -lost[at])[:_SHOWN]
    named = [repr(answered[at].query[:60]) for at in worst if lost[at] > 0]
    return f" Worse than before, among others: {', '.join(named)}." if named else ""


def _chance(lost: Sequence[float]) -> float:
    """The probability that the losses with random signs have at least the same sum.

    The signs that the losses have are counted as one of the turns, so it is never 0.
    """
    losses = np.array([loss for loss in lost if loss], dtype=np.float64)
    if not len(losses):
        return 1.0
    chance, least = np.random.default_rng(0), losses.sum() - 1e-12
    reached = 1
    for _ in range(_FLIPS // _FLIPS_AT_ONCE):
        signs = chance.choice((-1.0, 1.0), (_FLIPS_AT_ONCE, len(losses)))
        reached += int(np.count_nonzero(signs @ losses >= least))
    return reached / (_FLIPS + 1)
