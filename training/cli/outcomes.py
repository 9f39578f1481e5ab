"""Prints, saves, compares and reports the runs of the commands that measure."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from training import durable
from training.evaluation import comparison, report
from training.evaluation.comparison import SavedRun
from training.evaluation.legs import Rankings
from training.evaluation.metrics import Qrels, per_query
from training.evaluation.page import Section, write_page
from training.evaluation.tasks import Task

ToleranceOption = Annotated[
    float, typer.Option(min=0, max=100, help="Points of MRR@10 that a row may lose")
]
ReportOption = Annotated[
    Path | None, typer.Option(help="HTML file with tables, curves and worst losses")
]


class Outcomes:
    """The runs of one command, each compared with an earlier one if there is one."""

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._sections: list[Section] = []

    def add(
        self,
        task: Task,
        qrels: Qrels,
        rankings: Rankings,
        *,
        save: Path | None,
        against: SavedRun | None,
        table: bool = True,
    ) -> None:
        """Takes in a run: prints its table and the changes. Raises DataInvalid."""
        run = SavedRun(
            {query.id: query.text for query in task.queries},
            {row: per_query(qrels, ranking) for row, ranking in rankings.items()},
        )
        section = Section(task.name, len(task.corpus), run)
        if table:
            queries = len(task.queries)
            typer.echo(report.markdown(task.name, queries, section.documents, section.rows()))
        if save is not None:
            comparison.save_run(save, run)
        if against is not None:
            verdict = comparison.judge(against, run, self._tolerance)
            typer.echo("\n" + report.comparison_markdown(verdict))
            section = Section(task.name, section.documents, run, verdict)
        self._sections.append(section)

    def end(self, page: Path | None) -> None:
        """Writes the page; exits with 1 if a row lost more than the tolerance."""
        if page is not None:
            write_page(page, self._sections)
        worse = [
            f"{row} ({section.name})"
            for section in self._sections
            if section.verdict is not None
            for row in section.verdict.worse
        ]
        if worse:
            typer.echo(
                f"\nWorse by more than {self._tolerance} points of MRR@10: {', '.join(worse)}",
                err=True,
            )
            raise typer.Exit(1)


def write_figures(path: Path, figures: Mapping[str, object]) -> None:
    """Writes the figures of a command as JSON, and the folder of the file if there is none."""
    durable.write(path, json.dumps(figures, indent=1) + "\n")
