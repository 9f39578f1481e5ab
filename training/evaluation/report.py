"""Tables of measures, as Markdown for people and JSON for machines."""

from collections.abc import Mapping

from training.evaluation.metrics import NAMES, Estimate

Rows = Mapping[str, Mapping[str, Estimate]]
"""Row name -> measure -> estimate."""


def markdown(task: str, queries: int, documents: int, rows: Rows) -> str:
    """One table for one task, in percent; MRR@10 with its 95 % interval."""
    lines = [
        f"**{task}** ({queries:,} queries, {documents:,} documents)",
        "",
        f"| | {' | '.join(NAMES)} |",
        f"|---|{'---|' * len(NAMES)}",
    ]
    for row, measures in rows.items():
        lines.append(f"| {row} | {' | '.join(_cell(name, measures[name]) for name in NAMES)} |")
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
