"""Tables of measures and comparisons, as Markdown for people and JSON for machines."""

from collections.abc import Mapping

from training.evaluation.comparison import Verdict
from training.evaluation.metrics import NAMES, Estimate

_SHOWN_LOSSES = 10

Rows = Mapping[str, Mapping[str, Estimate]]
"""Estimates by the name of the row and the measure."""


def markdown(task: str, queries: int, documents: int, rows: Rows) -> str:
    """The table of one task as Markdown, in percent; MRR@10 has its 95 % interval."""
    lines = [
        f"**{task}** ({sizes(queries, documents)})",
        "",
        f"| | {' | '.join(NAMES)} |",
        f"|---|{'---|' * len(NAMES)}",
    ]
    for row, measures in rows.items():
        lines.append(f"| {row} | {' | '.join(_cell(name, measures[name]) for name in NAMES)} |")
    return "\n".join(lines)


def sizes(queries: int, documents: int) -> str:
    """The numbers of queries and of documents; the latter is left out for a collection, where it is
    0."""
    return f"{queries:,} queries" + (f", {documents:,} documents" if documents else "")


def comparison_markdown(verdict: Verdict) -> str:
    """The changes since an earlier run, and the worst losses of the row that lost most."""
    lines = ["| | measure | before | now | difference | p (Holm) |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {change.row} | {change.measure} | {100 * change.before:.1f} | {100 * change.now:.1f} |"
        f" {100 * change.difference:+.1f} | {change.p:.3f} |"
        for change in verdict.changes
    ]
    lost = verdict.lost
    gained = len(verdict.changed) - len(lost)
    lines += ["", *verdict.left_out, f"{verdict.row}: {len(lost)} queries lost, {gained} gained"]
    lines += [
        f"  {loss.before:.2f} -> {loss.now:.2f}  {loss.query}" for loss in lost[:_SHOWN_LOSSES]
    ]
    return "\n".join(lines)


def as_json(rows: Rows) -> dict[str, dict[str, dict[str, float]]]:
    return {
        row: {
            name: {
                "mean": round(value.mean, 5),
                "low": round(value.low, 5),
                "high": round(value.high, 5),
            }
            for name, value in measures.items()
        }
        for row, measures in rows.items()
    }


def _cell(name: str, value: Estimate) -> str:
    mean = f"{100 * value.mean:.1f}"
    if name == "MRR@10":
        return f"{mean} ({100 * value.low:.1f}-{100 * value.high:.1f})"
    return mean
