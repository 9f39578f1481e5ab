"""A report of runs as one HTML file: tables, curves, and the queries that lost most."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl

from training import durable
from training.evaluation.comparison import MAIN, SavedRun, Verdict
from training.evaluation.metrics import NAMES, Estimate, estimate
from training.evaluation.report import sizes

RECALLS = tuple(name for name in NAMES if name.startswith("R@"))
_SHOWN = 100
"""Most queries of a list."""
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid #ccc; padding: .25rem .6rem; text-align: right; }
th:first-child, td:first-child, td.text { text-align: left; }
.worse { color: #a40000; } .better { color: #00692b; }
svg { max-width: 100%; height: auto; }
"""


@dataclass(frozen=True, slots=True)
class Section:
    """One set of queries with its measures and the comparison with an earlier run."""

    name: str
    documents: int
    run: SavedRun
    verdict: Verdict | None = None

    def rows(self) -> dict[str, dict[str, Estimate]]:
        """Rows of the table: measures by row, estimates by measure."""
        return {
            row: {name: estimate(values) for name, values in measures.items()}
            for row, measures in self.run.values.items()
        }


def write_page(path: Path, sections: Sequence[Section]) -> None:
    """Write a page that needs no other file and no network, and its folder if there is none."""
    body = "".join(_section(section) for section in sections)
    durable.write(
        path,
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Search quality</title><style>{_STYLE}</style></head>"
        f"<body><h1>Search quality</h1>{body}</body></html>\n",
    )


def _section(section: Section) -> str:
    rows = section.rows()
    parts = [
        f"<h2>{escape(section.name)}</h2>",
        f"<p>{sizes(len(section.run.queries), section.documents)}."
        f" {MAIN} has its 95 % interval.</p>",
        _table(
            ["", *NAMES],
            [[row, *(_cell(name, found[name]) for name in NAMES)] for row, found in rows.items()],
        ),
        _recall_curves(rows),
    ]
    if section.verdict is not None:
        parts.append(_comparison(section.verdict))
    return "".join(parts)


def _comparison(verdict: Verdict) -> str:
    changes = [
        [
            change.row,
            change.measure,
            f"{100 * change.before:.1f}",
            f"{100 * change.now:.1f}",
            f"{100 * change.difference:+.1f}",
            f"{change.p:.3f}",
        ]
        for change in verdict.changes
    ]
    worse = (
        f'<p class="worse">Worse than is tolerated: {escape(", ".join(verdict.worse))}</p>'
        if verdict.worse
        else '<p class="better">No row lost more than is tolerated.</p>'
    )
    lost = verdict.lost
    gained = [each for each in verdict.changed if each.now > each.before][::-1]
    return "".join(
        [
            "<h3>Against the run before</h3>",
            worse,
            *(f"<p>{escape(sentence)}</p>" for sentence in verdict.left_out),
            _table(["", "measure", "before", "now", "difference", "p (Holm)"], changes),
            f"<h3>{escape(verdict.row)}: {len(lost)} queries lost, {len(gained)} gained</h3>",
            _difference_curve(verdict),
            *(
                f"<h4>{title}</h4>"
                + _table(
                    [MAIN + " before", "now", "query"],
                    [
                        [f"{each.before:.2f}", f"{each.now:.2f}", each.query]
                        for each in listed[:_SHOWN]
                    ],
                )
                for title, listed in (("Worst losses", lost), ("Best gains", gained))
                if listed
            ),
        ]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"


def _cell(name: str, value: Estimate) -> str:
    mean = f"{100 * value.mean:.1f}"
    return f"{mean} ({100 * value.low:.1f}-{100 * value.high:.1f})" if name == MAIN else mean


def _recall_curves(rows: dict[str, dict[str, Estimate]]) -> str:
    depths = [int(name.partition("@")[2]) for name in RECALLS]

    def draw(axes: Any) -> None:
        for row, found in rows.items():
            line = [100 * found[name].mean for name in RECALLS]
            axes.plot(depths, line, marker="o", label=row)
        axes.set_xscale("log")
        axes.set_xticks(depths, [str(depth) for depth in depths])
        axes.minorticks_off()
        axes.set_xlabel("K")
        axes.set_ylabel("Recall@K, percent")
        axes.legend()

    return _drawn(draw)


def _difference_curve(verdict: Verdict) -> str:
    """The change of each query, sorted; the area left of zero is the loss."""
    differences = [each.now - each.before for each in verdict.changed]

    def draw(axes: Any) -> None:
        axes.fill_between(range(len(differences)), differences, step="mid")
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_xlabel("queries that changed, sorted")
        axes.set_ylabel(f"{MAIN}, now minus before")

    return _drawn(draw) if differences else ""


def _drawn(draw: Any) -> str:
    """A figure as SVG with its letters as shapes, so that it looks the same everywhere."""
    mpl.use("Agg")
    from matplotlib import pyplot  # pyplot is imported after the backend is chosen.

    figure, axes = pyplot.subplots(figsize=(8, 4))
    draw(axes)
    axes.grid(alpha=0.3)
    stream = io.StringIO()
    figure.savefig(stream, format="svg", bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    return stream.getvalue().partition("<!DOCTYPE")[2].partition(">")[2]
