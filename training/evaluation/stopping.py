"""Fits the rule by which the fine phase stops, and measures the loss that stopping causes.

The ranker's log-odds are predicted from the coarse ones. Of the rules that on every task lose no
more than a stated part of MRR@10 against reading to the full depth, the one that reads least is
taken: first among those that always begin to read, then among those that end like it and do not
always begin.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product

import numpy as np

from services.common.blend import StopWeights
from services.rank.blend import Blend
from services.rank.stopping import PASS_CANDIDATES, StopRule
from training.evaluation.listwise import Floats
from training.evaluation.phases import Pool, Say, final_odds, gain

TOP_K = 10
_OTHERS = "_others"
"""Ending of the name of the task of other writers."""
_MOST_LOST = 0.002
"""Loss of MRR@10 that a rule may cost on a task, from 0 to 1.

A mean over all tasks would hide what is lost where the ranker matters: most queries of the tasks
that words alone solve lose nothing however little is read."""
_FEWEST = 100
"""Queries that a task needs to refuse a rule; with fewer, a single one loses more than may be."""
_FLOORS = tuple(float(np.log(p / (1 - p))) for p in (0.01, 0.02, 0.03, 0.05, 0.1))
_CHANCES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.2, 1.6, 2.4)
_DOUBTS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
_RIVALS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)


@dataclass(frozen=True, slots=True)
class Stopping:
    """The effect of a rule on judged queries."""

    read: float
    """Mean number of candidates that are read for a query."""
    unread: float
    """Share of queries for which nothing is read."""
    lost: float
    """Mean loss of MRR@10 against reading to the full depth."""
    lost_at_most: float
    """The largest mean loss on a task."""
    same_best: float
    """Share of queries with the same first answer."""
    same_ten: float
    """Share of the ten best answers that stay among the ten best."""


def fit_stopping(pools: Sequence[Pool], blend: Blend, depth: int, say: Say) -> StopWeights | None:
    """Fits the rule; None if the ranker is not used or no rule reads less."""
    if not blend.uses_ranker:
        return None
    intercept, slope, spread = _prediction(pools, blend)
    ends = [
        StopRule(intercept, slope, spread, floor, chance)
        for floor, chance in product(_FLOORS, _CHANCES)
    ]
    best = _least(pools, blend, ends, depth)
    if best is None:
        say("no rule of stopping loses little enough: the fine phase reads to its depth")
        return None
    begins = [
        replace(best[1], doubt=doubt, rivals=rivals) for doubt, rivals in product(_DOUBTS, _RIVALS)
    ]
    outcome, rule = _least(pools, blend, begins, depth) or best
    say(
        f"the fine phase reads {outcome.read:.1f} of {depth} candidates on average and nothing for"
        f" {100 * outcome.unread:.0f} % of the queries, loses"
        f" {100 * outcome.lost:.2f} MRR@10 ({100 * outcome.lost_at_most:.2f} on a task at"
        " most), keeps the first answer of"
        f" {100 * outcome.same_best:.1f} % and {100 * outcome.same_ten:.1f} % of the ten best"
    )
    return StopWeights(**asdict(rule))


def _least(
    pools: Sequence[Pool], blend: Blend, rules: Iterable[StopRule], depth: int
) -> tuple[Stopping, StopRule] | None:
    """The rule that reads least of those that lose little enough, with its effect."""
    effects = [(simulate(pools, blend, rule, depth), rule) for rule in rules]
    good = [each for each in effects if each[0].lost_at_most <= _MOST_LOST]
    return min(good, key=lambda each: each[0].read) if good else None


def _prediction(pools: Sequence[Pool], blend: Blend) -> tuple[float, float, float]:
    """Intercept, slope and spread of the ranker's log-odds over the coarse ones."""
    asked = [~np.isnan(pool.fine) for pool in pools]
    coarse = np.concatenate(
        [blend.coarse_odds(pool.features)[rows] for pool, rows in zip(pools, asked, strict=True)]
    )
    fine = np.concatenate([pool.fine[rows] for pool, rows in zip(pools, asked, strict=True)])
    slope, intercept = np.polyfit(coarse, fine, 1)
    residual = float(np.std(fine - (intercept + slope * coarse)))
    return float(intercept), float(slope), max(residual * np.sqrt(3) / np.pi, 1e-6)


def simulate(pools: Sequence[Pool], blend: Blend, rule: StopRule, depth: int) -> Stopping:
    """Compares reading by a rule with reading to the full depth."""
    read, lost, best, ten = [], [], [], []
    for pool in pools:
        partly = _read(pool, blend, rule, depth)
        odds = [final_odds(pool, blend, fine) for fine in (pool.fine, partly)]
        read.append(np.count_nonzero(~np.isnan(partly)))
        lost.append(gain(pool, odds[0]) - gain(pool, odds[1]))
        orders = [np.argsort(-each, kind="stable")[:TOP_K] for each in odds]
        best.append(orders[0][0] == orders[1][0])
        ten.append(len({*orders[0]} & {*orders[1]}) / len(orders[0]))
    return Stopping(
        read=float(np.mean(read)),
        unread=float(np.mean(np.array(read) == 0)),
        lost=float(np.mean(lost)),
        lost_at_most=_largest([pool.group for pool in pools], np.array(lost)),
        same_best=float(np.mean(best)),
        same_ten=float(np.mean(ten)),
    )


def _largest(groups: Sequence[str], lost: Floats) -> float:
    """The largest mean over the queries of a task.

    Natural queries of all writers are one task here: a single one of 180 weighs more than may be
    lost, so that chance would choose the rule. For the same reason tasks of few queries are left
    out where there are larger ones.
    """
    tasks = np.array([group.partition(":")[0].removesuffix(_OTHERS) for group in groups])
    of_tasks = [lost[tasks == task] for task in dict.fromkeys(tasks)]
    large = [each for each in of_tasks if len(each) >= _FEWEST]
    return max(float(each.mean()) for each in large or of_tasks)


def _read(pool: Pool, blend: Blend, rule: StopRule, depth: int) -> Floats:
    """The ranker's log-odds [candidates] of the candidates that are read; NaN for the others."""
    coarse = blend.coarse_odds(pool.features)
    order = np.argsort(-coarse, kind="stable")[:depth]
    fine = np.full(len(coarse), np.nan)
    if rule.undisputed(blend, coarse[order]):
        return fine
    for start in range(0, len(order), PASS_CANDIDATES):
        passed = order[: start + PASS_CANDIDATES]
        fine[passed] = pool.fine[passed]
        final = blend.final_odds(coarse[passed], fine[passed])
        if rule.settled(blend, final, coarse[order[len(passed) :]], TOP_K):
            break
    return fine
