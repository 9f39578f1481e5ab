"""Fits everything between the models and the answer: `xunwen eval blend`.

In the order of a search: the dense leg's share of a query, the coarse phase, the blend with the
ranker, and when to stop reading. Only dev queries are used.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from services.common.blend import BLEND, FittedWeights, read_weights
from services.common.engine import Encoder
from services.common.precision import WantedPrecision
from services.common.text import WordAnalyzer
from services.common.wire.rank import considered
from services.rank.features import NAMES, AnalysedQuery, coarse_features
from services.recall.legs.query_fusion import NAMES as EVIDENCE
from services.recall.legs.query_fusion import QueryFusion
from training import durable
from training.data.splits import Split
from training.evaluation.fusion import (
    FusionSample,
    dense_share,
    fit_fusion,
    reciprocal_rank,
    sample_of,
)
from training.evaluation.models import encoder_at, ranker_at
from training.evaluation.phases import Pool, balance, fit_phases, report
from training.evaluation.pools import FusionOf, Legs, candidates, found_by_legs, fused_by
from training.evaluation.selection import load_tasks
from training.evaluation.stopping import TOP_K, fit_stopping
from training.evaluation.tasks import PAPER_TASKS, Task
from training.failures import plain_errors
from training.targets import check_target

_DENSE_WEIGHTS = tuple(round(0.1 * step, 1) for step in range(11))


@plain_errors()
def main(
    data_dir: Annotated[Path, typer.Option(help="Folder of the evaluation files")] = Path("data"),
    encoder: Annotated[Path, typer.Option()] = Path("models/literature-encoder"),
    ranker: Annotated[Path, typer.Option()] = Path("models/literature-ranker"),
    tasks: Annotated[str, typer.Option(help="Comma-separated")] = PAPER_TASKS,
    sample: Annotated[
        int | None, typer.Option(min=2, help="Number of queries, the first ones")
    ] = None,
    depth: Annotated[
        int, typer.Option(min=1, help="Number of candidates that the ranker reads")
    ] = 30,
    dense_weight: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Constant weight of the dense leg; default: fitted"),
    ] = None,
    keep_fusion: Annotated[
        bool,
        typer.Option("--keep-fusion", help="Fit ranking only, to the fusion that is served now"),
    ] = False,
    cache: Annotated[
        Path | None, typer.Option(help="Folder in which document vectors are kept")
    ] = None,
    precision: Annotated[
        WantedPrecision,
        typer.Option(help="Arithmetic; auto takes the fastest on this machine"),
    ] = "auto",
    output: Annotated[Path, typer.Option(help="File to which the weights are written")] = BLEND,
) -> None:
    """Fit fusion, coarse phase, blend and early stop to an encoder and a ranker."""
    check_target(output)
    if keep_fusion and dense_weight is not None:
        raise typer.BadParameter("--keep-fusion has a weight already", param_hint="--dense-weight")
    analyzer = WordAnalyzer()
    with encoder_at(encoder, precision) as vectors, ranker_at(ranker, precision) as judge:
        loaded = load_tasks(tasks, data_dir, Split.DEV, sample)
        samples = [*_samples(loaded, analyzer, vectors, cache)]
        constant = _best_constant(samples) if dense_weight is None else dense_weight
        fusion: dict[str, float] = {}
        if keep_fusion:
            served = read_weights()
            constant, fusion = served.dense_weight, served.fusion
        elif dense_weight is None:
            fusion = dict(zip(EVIDENCE, map(float, fit_fusion(samples)), strict=True))
        weights = FittedWeights(
            encoder=vectors.manifest.fingerprint,
            ranker=judge.manifest.fingerprint,
            dense_weight=constant,
            fusion=fusion,
            coarse=dict.fromkeys(NAMES, 0.0),
            coarse_bias=0.0,
            fine=0.0,
            fine_coarse=1.0,
            fine_bias=0.0,
        )
        _report_fusion(samples, weights)
        pools = [*_pools(loaded, analyzer, vectors, cache, fused_by(weights, analyzer))]
        balance(pools)
        blend = fit_phases(pools, judge, depth, typer.echo)
    weights = weights.model_copy(
        update={
            "coarse": dict(zip(NAMES, blend.coarse, strict=True)),
            "coarse_bias": blend.coarse_bias,
            "fine": blend.fine,
            "fine_coarse": blend.fine_coarse,
            "fine_bias": blend.fine_bias,
            "reads_topics": blend.reads_topics,
            "stop": fit_stopping(
                [pool for pool in pools if blend.reads(pool.detail)], blend, depth, typer.echo
            ),
        }
    )
    for group in dict.fromkeys(pool.group for pool in pools):
        typer.echo(f"{group}: {report([each for each in pools if each.group == group], blend)}")
    durable.write(output, weights.model_dump_json(indent=1) + "\n")
    typer.echo(f"written to {output}")


def _legs(
    tasks: Sequence[Task], analyzer: WordAnalyzer, encoder: Encoder, cache: Path | None
) -> Iterator[tuple[str, Legs, set[str]]]:
    """Yields the group, the legs and the ids of the relevant documents of each query."""
    for task in tasks:
        for legs in found_by_legs(task, analyzer, encoder, cache):
            kind = legs.query.kind
            wanted = {task.corpus.ids[row] for row in legs.query.relevant}
            yield f"{task.name}:{kind}" if kind else task.name, legs, wanted


def _samples(
    tasks: Sequence[Task], analyzer: WordAnalyzer, encoder: Encoder, cache: Path | None
) -> Iterator[FusionSample]:
    for group, legs, wanted in _legs(tasks, analyzer, encoder, cache):
        sample = sample_of(group, legs.query.text, legs, wanted, analyzer)
        if sample is not None:
            yield sample


def _pools(
    tasks: Sequence[Task],
    analyzer: WordAnalyzer,
    encoder: Encoder,
    cache: Path | None,
    fusion_of: FusionOf,
) -> Iterator[Pool]:
    for group, legs, wanted in _legs(tasks, analyzer, encoder, cache):
        found = candidates(legs, fusion_of(legs))[: considered(TOP_K)]
        query = AnalysedQuery.of(legs.query.text, analyzer)
        features = coarse_features(query, found, analyzer)
        relevant = np.array([each.id in wanted for each in found])
        yield Pool(group, legs.query.text, found, features, query.detail, relevant)


def _best_constant(samples: Sequence[FusionSample]) -> float:
    """The constant dense weight whose mean MRR@10 over the groups is best."""
    return max(
        _DENSE_WEIGHTS,
        key=lambda weight: sum(
            _mean(group, [weight] * len(group)) for group in _groups(samples).values()
        ),
    )


def _report_fusion(samples: Sequence[FusionSample], weights: FittedWeights) -> None:
    for name, group in _groups(samples).items():
        constants = {weight: _mean(group, [weight] * len(group)) for weight in _DENSE_WEIGHTS}
        row = " ".join(f"{weight}: {100 * value:.1f}" for weight, value in constants.items())
        typer.echo(f"{name}, MRR@10 by dense weight: {row}")
        if weights.fusion:
            fitted = np.array(QueryFusion.of(weights).weights)
            shares = [dense_share(sample, fitted) for sample in group]
            typer.echo(
                f"{name}, fitted: {100 * _mean(group, shares):.1f},"
                f" mean dense weight {np.mean(shares):.2f}"
            )


def _groups(samples: Sequence[FusionSample]) -> dict[str, list[FusionSample]]:
    groups: dict[str, list[FusionSample]] = {}
    for sample in samples:
        groups.setdefault(sample.group, []).append(sample)
    return groups


def _mean(group: Sequence[FusionSample], shares: Sequence[float]) -> float:
    return float(np.mean([reciprocal_rank(*each) for each in zip(group, shares, strict=True)]))
