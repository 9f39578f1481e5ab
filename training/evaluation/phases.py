"""Fits the phases of ranking: coarse features, the blend with the ranker, and when to stop reading.

Weights are judged on the half of the queries that they were not fitted on. Features take part in
the coarse order only if they raise MRR@10 by more than two standard errors, else it keeps the
order of recall. The fine phase gets a weight above 0 only if it gains on some task more than chance
would give and loses on none: a ranker that lowers what recall got right is worse than none, and
tasks that words alone solve have nothing to gain, so a mean over all tasks would hide both. Queries
of a few words, which name a topic, are judged by themselves: a ranker that learnt from questions
may lose there what it gains elsewhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from services.common.engine import Ranker
from services.common.odds import probability
from services.common.wire.rank import RankCandidate
from services.rank.blend import Blend
from services.rank.features import NAMES
from training.evaluation.listwise import Floats, Linear, Sample, fit

_ALL = tuple(range(len(NAMES)))
_RECALL_ONLY = (NAMES.index("recall_relative"),)
_SURE = 2.0
"""Standard errors by which the features must win, since a small sample flatters nine weights."""
_SURE_OF_ONE = 2.33
"""Standard errors by which the fine phase must win on a task, or lose on one to be left out. Chance
reaches them in one case of 100, and with five tasks, of which any one may win or lose, in one of 20
(Bonferroni's correction)."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Pool:
    """One query with its candidates in the order of recall, and the ranker's log-odds of the best
    ones."""

    group: str
    """Task and kind of the query."""
    query: str
    found: Sequence[RankCandidate]
    features: Floats
    """The coarse features [candidates, NAMES]."""
    detail: float
    """How much detail the query gives, 0 to 1; one that gives none names a topic."""
    relevant: np.ndarray[tuple[int], np.dtype[np.bool_]]
    weight: float = 1.0
    """Share of the query in the fits, in proportion to the others."""
    fine: Floats = field(init=False)
    """The ranker's log-odds [candidates]; NaN where it was not asked."""

    def __post_init__(self) -> None:
        self.fine = np.full(len(self.found), np.nan)


def fit_phases(pools: Sequence[Pool], ranker: Ranker, depth: int, say: Say) -> Blend:
    """Fits the weights of both phases, with the ranker's scores of the best `depth` in coarse
    order."""
    recall = _held_out(pools, lambda half: silent(_fit_coarse(half, _RECALL_ONLY)))
    coarse = _held_out(pools, lambda half: silent(_fit_coarse(half, _ALL)))
    weights = np.array([pool.weight for pool in pools])
    better = (coarse - recall) * weights / weights.mean()
    columns = _ALL if _better(better) else _RECALL_ONLY
    say(
        f"held-out MRR@10: recall {100 * recall.mean():.2f}, features"
        f" {100 * better.mean():+.2f} (standard error {100 * _error(better):.2f}):"
        f" {'all features' if columns is _ALL else 'the order of recall'}"
    )
    whole = _fit_coarse(pools, columns)
    for pool in pools:
        _ask(pool, whole, ranker, depth)
    topics = _gained(pools, whole)[np.array([not pool.detail for pool in pools], dtype=bool)]
    reads_topics = _better(topics)
    if topics.size:
        say(f"{_said('queries of a few words', topics)}: {'' if reads_topics else 'not '}read")
    read = [pool for pool in pools if pool.detail or reads_topics]
    worth_it = _worth_it([pool.group for pool in read], _gained(read, whole), say)
    say(f"the fine phase is {'on' if worth_it else 'off'}")
    if not worth_it:
        return silent(whole)
    return replace(_blend(whole, _fit_fine(read, whole)), reads_topics=reads_topics)


def _gained(pools: Sequence[Pool], coarse: Linear) -> Floats:
    """What the fine phase gains of the reciprocal rank of each query, with weights of the half that
    the query is not in."""
    read = _held_out(pools, lambda half: _blend(coarse, _fit_fine(half, coarse)))
    return read - gains(pools, silent(coarse))


def _held_out(pools: Sequence[Pool], fitted: Callable[[Sequence[Pool]], Blend]) -> Floats:
    """The reciprocal rank of each query with the blend of the half that the query is not in."""
    values = np.zeros(len(pools))
    values[1::2] = gains(pools[1::2], fitted(pools[::2]))
    values[::2] = gains(pools[::2], fitted(pools[1::2]))
    return values


def balance(pools: Sequence[Pool]) -> None:
    """Makes queries that a document with a text answers weigh as much in all as those that a bare
    title answers, where candidates are of both kinds.

    Otherwise the fit learns from the numbers of both in the data which kind is right more often,
    and puts the other kind below it for every query that gives details.
    """
    kinds: dict[bool, list[Pool]] = {True: [], False: []}
    for pool in pools:
        texts = np.array([bool(each.text.strip()) for each in pool.found])
        answers = set(texts[pool.relevant].tolist())
        if pool.detail and len(answers) == 1 and len(set(texts.tolist())) == 2:
            kinds[answers.pop()].append(pool)
    if all(kinds.values()):
        for pool in kinds[False]:
            pool.weight = len(kinds[True]) / len(kinds[False])


def _worth_it(groups: Sequence[str], gained: Floats, say: Say) -> bool:
    """Whether the fine phase gains on a task and loses on none; `gained` is MRR@10 by query."""
    tasks = np.array([group.partition(":")[0] for group in groups])
    wins, loses = False, False
    for task in dict.fromkeys(tasks):
        of_task = gained[tasks == task]
        mean, error = of_task.mean(), _error(of_task)
        say(_said(task, of_task))
        wins |= bool(mean > _SURE_OF_ONE * error)
        loses |= bool(mean < -_SURE_OF_ONE * error)
    return wins and not loses


def _better(gained: Floats) -> bool:
    """Whether a gain is more than a sample of this size flatters."""
    return gained.size > 1 and bool(gained.mean() > _SURE * _error(gained))


def _error(gained: Floats) -> float:
    """The standard error of a mean gain."""
    return float(gained.std(ddof=1) / np.sqrt(len(gained)))


def _said(queries: str, gained: Floats) -> str:
    return (
        f"held-out MRR@10 of the fine phase, {queries}: {100 * gained.mean():+.2f}"
        f" (standard error {100 * _error(gained):.2f})"
    )


def _ask(pool: Pool, coarse: Linear, ranker: Ranker, depth: int) -> None:
    best = np.argsort(-coarse(pool.features), kind="stable")[:depth]
    manifest = ranker.manifest
    texts = manifest.texts_beside(pool.query, (pool.found[at] for at in best))
    pool.fine[best] = manifest.log_odds(ranker.score(pool.query, texts))


def _fit_coarse(pools: Sequence[Pool], columns: tuple[int, ...]) -> Linear:
    """The fit to some columns; the others get the weight 0."""
    found = fit(
        [
            Sample(pool.features[:, list(columns)], pool.relevant, pool.weight)
            for pool in pools
            if pool.relevant.any()
        ]
    )
    weights = np.zeros(len(NAMES))
    weights[list(columns)] = found.weights
    return Linear(weights, found.bias)


def _fit_fine(pools: Sequence[Pool], coarse: Linear) -> Linear:
    """The ranker's log-odds and the coarse log-odds of each candidate, as two columns."""
    samples = []
    for pool in pools:
        asked = ~np.isnan(pool.fine)
        if pool.relevant[asked].any():
            columns = np.column_stack([probability(pool.fine[asked]), coarse(pool.features[asked])])
            samples.append(Sample(columns, pool.relevant[asked], pool.weight))
    return fit(samples)


def silent(coarse: Linear) -> Blend:
    """A blend without the ranker."""
    return _blend(coarse, Linear(np.array([0.0, 1.0]), 0.0))


def _blend(coarse: Linear, fine: Linear) -> Blend:
    return Blend(
        coarse=tuple(float(weight) for weight in coarse.weights),
        coarse_bias=coarse.bias,
        fine=float(fine.weights[0]),
        fine_coarse=float(fine.weights[1]),
        fine_bias=fine.bias,
    )


def gains(pools: Sequence[Pool], blend: Blend) -> Floats:
    """Reciprocal rank at 10 of each query, after all phases that the blend uses."""
    return np.array([gain(pool, final_odds(pool, blend, pool.fine)) for pool in pools])


def final_odds(pool: Pool, blend: Blend, fine: Floats) -> Floats:
    odds = blend.coarse_odds(pool.features)
    return blend.final_odds(odds, fine) if blend.reads(pool.detail) else odds


def gain(pool: Pool, odds: Floats) -> float:
    """Reciprocal rank of the first relevant candidate among the best ten by `odds`."""
    best = np.argsort(-odds, kind="stable")[:10]
    return reciprocal_rank([bool(hit) for hit in pool.relevant[best]])


def reciprocal_rank(relevant: Sequence[bool]) -> float:
    return next((1 / rank for rank, hit in enumerate(relevant, start=1) if hit), 0.0)


def report(pools: Sequence[Pool], blend: Blend) -> str:
    """A line with the MRR@10 of recall and of each phase in percent, over the queries of the
    pools."""
    recall = np.mean([reciprocal_rank([bool(hit) for hit in each.relevant[:10]]) for each in pools])
    coarse = Blend(blend.coarse, blend.coarse_bias, 0.0, 1.0, 0.0)
    phases = (recall, gains(pools, coarse).mean(), gains(pools, blend).mean())
    names = ("hybrid", "coarse", "fine")
    shown = (f"{name} {100 * value:.1f}" for name, value in zip(names, phases, strict=True))
    return f"MRR@10 {', '.join(shown)} ({len(pools)} queries)"
