"""Compares a run with an earlier one: paired tests over the same queries, and the queries that lost
most."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import durable
from training.data.blocks import blocks
from training.evaluation.metrics import NAMES
from training.failures import DataInvalid

Floats = NDArray[np.float64]
Values = Mapping[str, Mapping[str, Floats]]
"""Values by row of the table and by measure, one for each query in the order of the queries."""
Places = tuple[list[int], list[int]]
"""Positions of the same queries in two runs."""

ROUNDS = 10_000
TESTED = ("R@1", "R@10", "R@50", "MRR@10", "nDCG@10")
MAIN = "MRR@10"
_FORMAT = 1
_DIGITS = 6
"""Decimals of a saved value; values are compared in these, so that a run equals its own file."""


@dataclass(frozen=True, slots=True)
class SavedRun:
    """The measures of a run for each query, as `--save` writes them."""

    queries: Mapping[str, str]
    values: Values


@dataclass(frozen=True, slots=True)
class Change:
    """One measure of one row, now and in the earlier run, over the queries of both."""

    row: str
    measure: str
    before: float
    now: float
    p: float
    """Two-sided p-value, corrected for the number of comparisons (Holm, 1979)."""

    @property
    def difference(self) -> float:
        return self.now - self.before


@dataclass(frozen=True, slots=True)
class Loss:
    """A query whose main measure changed in a row."""

    row: str
    query: str
    before: float
    now: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The rows and queries that became better or worse since an earlier run."""

    changes: Sequence[Change]
    row: str
    """The row that lost most, or gained least, by the main measure."""
    changed: Sequence[Loss]
    """The queries of that row whose main measure changed, worst losses first."""
    worse: Sequence[str]
    """Rows that lost more of the main measure than is tolerated."""
    left_out: Sequence[str] = ()
    """Sentences about the queries and rows of one of the runs only, which are not compared."""

    @property
    def lost(self) -> list[Loss]:
        """The queries that lost, worst first."""
        return [loss for loss in self.changed if loss.now < loss.before]


def save_run(path: Path, run: SavedRun) -> None:
    """Writes queries and measures as JSON; an earlier file stays whole until all is written."""
    content = {
        "format": _FORMAT,
        "queries": [[key, text] for key, text in run.queries.items()],
        "rows": {
            row: {name: [round(float(value), _DIGITS) for value in values[name]] for name in NAMES}
            for row, values in run.values.items()
        },
    }
    durable.write(path, json.dumps(content, ensure_ascii=False) + "\n")


def load_run(path: Path) -> SavedRun:
    """A run that `save_run` wrote. Raises DataInvalid."""
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        rows = {
            row: {name: np.array(measured, dtype=np.float64) for name, measured in values.items()}
            for row, values in content["rows"].items()
        }
        queries = dict(content["queries"])
        shapes = {each.shape for values in rows.values() for each in values.values()}
        measured = all(values.keys() >= {*NAMES} for values in rows.values())
        if content["format"] != _FORMAT or not measured or shapes != {(len(queries),)}:
            raise ValueError("a measure is missing, or has no value for each query")
        return SavedRun(queries, rows)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataInvalid(f"{path} is no run that --save wrote in this version") from error


def judge(before: SavedRun, now: SavedRun, tolerance: float) -> Verdict:
    """Compares two runs; `tolerance` is the number of points of MRR@10 that a row may lose.

    Raises DataInvalid if the runs have no query or row in common.
    """
    changes = compare(before, now)
    main = {change.row: change for change in changes if change.measure == MAIN}
    row = min(main, key=lambda name: main[name].difference)
    # Without rounding a row that lost just the tolerance would have lost 1e-15 points more.
    lost = {name: round(-100 * change.difference, _DIGITS) for name, change in main.items()}
    worse = [name for name, points in lost.items() if points > tolerance]
    return Verdict(changes, row, [*losses(before, now, row)], worse, [*_left_out(before, now)])


def _left_out(before: SavedRun, now: SavedRun) -> Iterator[str]:
    for what, earlier, later in (
        ("queries", before.queries, now.queries),
        ("rows", before.values, now.values),
    ):
        shared = earlier.keys() & later.keys()
        if len(shared) < max(len(earlier), len(later)):
            yield (
                f"Only the {what} of both runs are compared: {len(shared):,} of"
                f" {len(earlier):,} earlier and {len(later):,} present ones."
            )
    if missing := [row for row in before.values if row not in now.values]:
        yield f"This run lacks rows of the earlier one: {', '.join(missing)}."


def compare(before: SavedRun, now: SavedRun) -> list[Change]:
    """The change of each row and tested measure of both runs, with corrected p-values.

    Raises DataInvalid if the runs have no query or row in common.
    """
    shared = _shared(before, now)
    pairs = [
        (row, name, *_paired(before, now, row, name, shared))
        for row in now.values
        if row in before.values
        for name in TESTED
    ]
    if not pairs:
        raise DataInvalid("the saved run has none of these rows")
    raw = [randomisation(old, new) for _, _, old, new in pairs]
    return [
        Change(row, name, float(old.mean()), float(new.mean()), p)
        for (row, name, old, new), p in zip(pairs, holm(raw), strict=True)
    ]


def losses(before: SavedRun, now: SavedRun, row: str) -> Iterator[Loss]:
    """Every query whose MRR@10 changed in a row, worst losses first."""
    shared = _shared(before, now)
    keys, later = [*now.queries], shared[1]
    old, new = _paired(before, now, row, MAIN, shared)
    for at in np.argsort(new - old, kind="stable"):
        if new[at] != old[at]:
            yield Loss(row, now.queries[keys[later[at]]], float(old[at]), float(new[at]))


def randomisation(before: Floats, now: Floats, seed: int = 0) -> float:
    """Two-sided p-value of the paired randomisation test (Smucker et al., CIKM 2007).

    If the runs were alike, the sign of each query's difference would be random: p is the share of
    random signs whose mean differs from 0 at least as much as the mean that was seen.
    """
    differences = (now - before)[now != before]
    if not len(differences):
        return 1.0
    rng = np.random.default_rng(seed)
    seen = abs(differences.sum())
    extreme = 0
    for part in blocks(ROUNDS, len(differences)):
        signs = rng.integers(0, 2, size=(part.stop - part.start, len(differences))) * 2 - 1
        extreme += int((np.abs(signs @ differences) >= seen - 1e-12).sum())
    return (extreme + 1) / (ROUNDS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number (Holm, 1979), in the order given."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, at in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[at]))
        corrected[at] = highest
    return corrected


def _paired(
    before: SavedRun, now: SavedRun, row: str, name: str, shared: Places
) -> tuple[Floats, Floats]:
    """The values of a measure in both runs, in the order of the later one."""
    earlier, later = shared
    old, new = before.values[row][name][earlier], now.values[row][name][later]
    return np.round(old, _DIGITS), np.round(new, _DIGITS)


def _shared(before: SavedRun, now: SavedRun) -> Places:
    """Positions of the queries of both runs, in the order of the later one."""
    position = {key: at for at, key in enumerate(before.queries)}
    shared = [(position[key], at) for at, key in enumerate(now.queries) if key in position]
    if not shared:
        raise DataInvalid("the saved run has none of these queries: they are matched by their ids")
    return [old for old, _ in shared], [new for _, new in shared]
