"""Judges by the answers to the same queries whether a new index is worse than the old one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BEST = 10
"""Number of hits in which the first relevant document is looked for."""
DEPTH = 100
"""Number of hits in which all relevant documents are looked for."""
_CHANCE = 0.05
"""Probability above which a loss is taken for chance."""
_FLIPS = 10_000
"""Number of times that the signs of the losses are turned at random."""
_SHOWN = 3
"""Number of worse queries that the message names."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The quality of an index's answer to a query."""

    reciprocal: float
    """1 / rank of the first relevant document among the first ten; 0 if none is among them."""
    recall: float
    """Share of the relevant documents among the first hundred."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of the gate, with a message that holds its figures."""

    passed: bool
    words: str


def answer_of(found: Sequence[str], right: Sequence[str]) -> Answer:
    """The figures of one answer, whose ids are given best first."""
    first = next((rank for rank, one in enumerate(found[:BEST], 1) if one in set(right)), 0)
    hits = len(set(found[:DEPTH]) & set(right))
    return Answer(1 / first if first else 0.0, hits / len(set(right)))


def judge(
    queries: Sequence[str],
    old: Sequence[Answer],
    new: Sequence[Answer],
    tolerance: float,
    *,
    weak: bool,
) -> Verdict:
    """Compares answers to the same queries, at least one.

    The new index fails if it loses more than the tolerance in either figure, and signs that are
    turned at random (Fisher's paired test) lose as much in fewer than 5 of 100 cases.
    """
    losses = {
        f"MRR@{BEST}": [o.reciprocal - n.reciprocal for o, n in zip(old, new, strict=True)],
        f"recall@{DEPTH}": [o.recall - n.recall for o, n in zip(old, new, strict=True)],
    }
    before = [math.fsum(each.reciprocal for each in old), math.fsum(each.recall for each in old)]
    passed, figures = True, []
    for (name, lost), total in zip(losses.items(), before, strict=True):
        mean = math.fsum(lost) / len(lost)
        chance = _chance(lost)
        was = total / len(old)
        figures.append(f"{name} {was:.3f} before, {was - mean:.3f} now (p {chance:.3f})")
        passed = passed and not (mean > tolerance and chance < _CHANCE)
    words = f"{len(queries)} {'titles' if weak else 'golden queries'}: {'; '.join(figures)}."
    if weak:
        words += (
            " This is a weak gate: the collection has no golden queries, so titles were asked for"
            " their own documents, by vectors alone."
        )
    lost = losses[f"MRR@{BEST}"]
    worst = sorted(range(len(lost)), key=lambda at: -lost[at])[:_SHOWN]
    if not passed and (named := [queries[at][:60] for at in worst if lost[at] > 0]):
        words += f" Worse than before, among others: {', '.join(map(repr, named))}."
    return Verdict(passed, words)


def _chance(lost: Sequence[float]) -> float:
    """The probability that the losses with random signs have at least the same sum."""
    losses = np.array([loss for loss in lost if loss], dtype=np.float64)
    if not len(losses):
        return 1.0
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (_FLIPS, len(losses)))
    return float(np.mean(signs @ losses >= losses.sum() - 1e-12))
