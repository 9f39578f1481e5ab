"""Fits fusion and blend to the models in service: `xunwen eval blend`.

On the dev papers only, and judged on the half of the queries that the weights were not fitted
on. Features take part in the coarse order only if they raise MRR@10 by more than two standard
errors, else it keeps the order of recall. The fine phase gets a weight above 0 only if it does
not lower MRR@10: a ranker that lowers what recall got right is worse than none.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from services.common.engine import Ranker
from services.common.text import WordAnalyzer
from services.common.wire.recall import Candidate
from services.rank.blend import Blend
from services.rank.features import NAMES, Query, coarse_features
from services.recall.domain import DENSE_WEIGHT, Fusion
from training.evaluation.listwise import Floats, Linear, Sample, fit
from training.evaluation.models import encoder_at, ranker_at
from training.evaluation.offline import load_tasks
from training.evaluation.pools import candidates, found_by_legs
from training.evaluation.splits import Split
from training.evaluation.tasks import PAPER_TASKS

_ALL = tuple(range(len(NAMES)))
_RECALL_ONLY = (NAMES.index("recall_relative"),)
_SURE = 2.0
"""Standard errors by which features must win: a small sample flatters nine weights."""
_DENSE_WEIGHTS = tuple(round(0.1 * step, 1) for step in range(11))


@dataclass(slots=True)
class _Pool:
    """One query: its candidates in the order of recall, and what the ranker says of the best."""

    task: str
    features: Floats
    relevant: np.ndarray[tuple[int], np.dtype[np.bool_]]
    fine: Floats
    """Log-odds, NaN where the ranker was not asked."""


def main(
    data_dir: Annotated[Path, typer.Option(help="Folder of the evaluation files")] = Path("data"),
    encoder: Annotated[Path, typer.Option()] = Path("models/literature-encoder"),
    ranker: Annotated[Path, typer.Option()] = Path("models/literature-ranker"),
    tasks: Annotated[str, typer.Option(help="Comma-separated")] = PAPER_TASKS,
    sample: Annotated[int | None, typer.Option(min=2, help="First so many queries")] = None,
    depth: Annotated[int, typer.Option(min=1, help="Candidates the ranker reads")] = 50,
    dense_weight: Annotated[float, typer.Option(min=0, max=1, help="Of the fusion")] = DENSE_WEIGHT,
    cache: Annotated[Path | None, typer.Option(help="Keeps document vectors here")] = None,
    output: Annotated[Path, typer.Option(help="Where the weights go")] = Path(
        "services/rank/blend.json"
    ),
) -> None:
    """Fit the weights of the coarse and the fine phase, and say what fusion weight is best."""
    if not output.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {output.parent}", param_hint="--output")
    analyzer = WordAnalyzer()
    pools: list[_Pool] = []
    with encoder_at(encoder) as vectors, ranker_at(ranker) as judge:
        for task in load_tasks(tasks, data_dir, Split.DEV, sample):
            gains: dict[float, list[float]] = {weight: [] for weight in _DENSE_WEIGHTS}
            for legs in found_by_legs(task, analyzer, vectors, cache):
                wanted = {task.corpus.ids[row] for row in legs.query.relevant}
                for weight, values in gains.items():
                    fused = candidates(legs, Fusion(dense_weight=weight))[:10]
                    values.append(_reciprocal_rank([each.id in wanted for each in fused]))
                pools.append(
                    _pool(
                        task.name,
                        legs.query.text,
                        candidates(legs, Fusion(dense_weight=dense_weight)),
                        wanted,
                        analyzer,
                        judge,
                        depth,
                    )
                )
            row = " ".join(f"{weight}: {100 * np.mean(gains[weight]):.1f}" for weight in gains)
            typer.echo(f"{task.name}, MRR@10 by dense weight: {row}")
        blend = _fit(pools, depth)
        blend = replace(blend, ranker=judge.manifest.fingerprint)
        written = blend.as_json() | {"encoder": vectors.manifest.fingerprint}
    for name in dict.fromkeys(pool.task for pool in pools):
        typer.echo(f"{name}: {_report([pool for pool in pools if pool.task == name], blend)}")
    output.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    typer.echo(f"written to {output}")


def _pool(
    task: str,
    query: str,
    found: Sequence[Candidate],
    wanted: set[str],
    analyzer: WordAnalyzer,
    judge: Ranker,
    depth: int,
) -> _Pool:
    features = coarse_features(Query.of(query, analyzer), found, analyzer)
    fine = np.full(len(found), np.nan)
    texts = [judge.manifest.document_text(each.title, each.text) for each in found[:depth]]
    calibration = judge.manifest.calibration
    slope, intercept = (calibration.slope, calibration.intercept) if calibration else (1.0, 0.0)
    fine[:depth] = slope * judge.score(query, texts) + intercept
    return _Pool(task, features, np.array([each.id in wanted for each in found]), fine)


def _fit(pools: Sequence[_Pool], depth: int) -> Blend:
    """Weights from all pools; which of them count, from halves held out."""
    halves = ((pools[::2], pools[1::2]), (pools[1::2], pools[::2]))
    recall, coarse = (
        np.concatenate([_gains(other, _silent(_fit_coarse(own, columns))) for own, other in halves])
        for columns in (_RECALL_ONLY, _ALL)
    )
    better = coarse - recall
    error = float(better.std(ddof=1) / np.sqrt(len(better)))
    columns = _ALL if better.mean() > _SURE * error else _RECALL_ONLY
    typer.echo(
        f"held-out MRR@10: recall {100 * recall.mean():.2f}, features"
        f" {100 * better.mean():+.2f} (standard error {100 * error:.2f}):"
        f" {'all features' if columns is _ALL else 'the order of recall'}"
    )
    without = with_ = 0.0
    for own, other in halves:
        half = _fit_coarse(own, columns)
        without += float(_gains(other, _silent(half)).sum())
        with_ += float(_gains(other, _blend(half, _fit_fine(own, half, depth))).sum())
    typer.echo(
        f"held-out MRR@10: coarse {100 * without / len(pools):.2f},"
        f" fine {100 * with_ / len(pools):.2f}"
    )
    whole = _fit_coarse(pools, columns)
    if with_ < without:
        return _silent(whole)
    return _blend(whole, _fit_fine(pools, whole, depth))


def _fit_coarse(pools: Sequence[_Pool], columns: tuple[int, ...]) -> Linear:
    """Other columns get the weight 0."""
    found = fit(
        [
            Sample(pool.features[:, list(columns)], pool.relevant)
            for pool in pools
            if pool.relevant.any()
        ]
    )
    weights = np.zeros(len(NAMES))
    weights[list(columns)] = found.weights
    return Linear(weights, found.bias)


def _silent(coarse: Linear) -> Blend:
    """Without the ranker."""
    return _blend(coarse, Linear(np.array([0.0, 1.0]), 0.0))


def _fit_fine(pools: Sequence[_Pool], coarse: Linear, depth: int) -> Linear:
    """Columns: the ranker's log-odds, and the coarse ones."""
    samples = [
        Sample(
            np.column_stack([pool.fine[:depth], coarse(pool.features[:depth])]),
            pool.relevant[:depth],
        )
        for pool in pools
        if pool.relevant[:depth].any()
    ]
    return fit(samples)


def _blend(coarse: Linear, fine: Linear) -> Blend:
    return Blend(
        coarse=tuple(float(weight) for weight in coarse.weights),
        coarse_bias=coarse.bias,
        fine=float(fine.weights[0]),
        fine_coarse=float(fine.weights[1]),
        fine_bias=fine.bias,
    )


def _gains(pools: Sequence[_Pool], blend: Blend) -> Floats:
    """Reciprocal rank at 10 of each query, after all phases that the blend uses."""
    values = []
    for pool in pools:
        odds = blend.coarse_odds(pool.features)
        if blend.uses_ranker:
            odds = blend.final_odds(odds, pool.fine)
        best = np.argsort(-odds, kind="stable")[:10]
        values.append(_reciprocal_rank([bool(hit) for hit in pool.relevant[best]]))
    return np.array(values)


def _report(pools: Sequence[_Pool], blend: Blend) -> str:
    recall = np.mean(
        [_reciprocal_rank([bool(hit) for hit in pool.relevant[:10]]) for pool in pools]
    )
    coarse = Blend(blend.coarse, blend.coarse_bias, 0.0, 1.0, 0.0)
    phases = (recall, _gains(pools, coarse).mean(), _gains(pools, blend).mean())
    names = ("hybrid", "coarse", "fine")
    shown = (f"{name} {100 * value:.1f}" for name, value in zip(names, phases, strict=True))
    return f"MRR@10 {', '.join(shown)} ({len(pools)} queries)"


def _reciprocal_rank(relevant: Sequence[bool]) -> float:
    return next((1 / rank for rank, hit in enumerate(relevant, start=1) if hit), 0.0)
