"""`xunwen eval offline`: a model without servers.

Exact search and BM25 in one process. The cascade as users get it is measured through the
running services instead: see `training.cli.evaluate_online`.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from services.common.engine import Encoder, Ranker
from services.common.text import WordAnalyzer
from training.cli.options import PrecisionOption
from training.cli.outcomes import Outcomes, ToleranceOption, write_figures
from training.data.splits import Split
from training.evaluation import legs, report
from training.evaluation.auc import Discrimination, ranker_auc
from training.evaluation.comparison import load_run
from training.evaluation.models import encoder_at, ranker_at
from training.evaluation.selection import load_tasks
from training.evaluation.tables import tables
from training.evaluation.tasks import TASKS, DataMissing, Task
from training.failures import DataInvalid, plain_errors
from training.targets import check_target


def main(
    data_dir: Annotated[Path, typer.Option(help="Folder of the evaluation files")] = Path("data"),
    encoder: Annotated[
        Path | None, typer.Option(help="Model directory or checkpoint; without one, BM25 only")
    ] = None,
    ranker: Annotated[
        Path | None,
        typer.Option(help="Model directory or checkpoint of a ranker; adds its rows and AUC"),
    ] = None,
    tasks: Annotated[str, typer.Option(help="Comma-separated")] = ",".join(TASKS),
    split: Annotated[
        Split, typer.Option(help="Split of the papers whose queries are used")
    ] = Split.ALL,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Number of queries, the first ones")
    ] = None,
    dense_weight: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Constant weight of the dense leg; default: the fitted weights"
        ),
    ] = None,
    rank_depth: Annotated[
        int, typer.Option(min=0, help="Number of candidates that the ranker orders alone")
    ] = 50,
    precision: PrecisionOption = "auto",
    cache: Annotated[
        Path | None, typer.Option(help="Folder in which document vectors are kept")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option(help="File to which the figures are also written")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="Folder to which the measures of each query are written, by task"),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Folder of an earlier --save to compare with")
    ] = None,
    tolerance: ToleranceOption = 1.0,
    page: Annotated[
        Path | None,
        typer.Option("--report", help="HTML file with tables, curves and losses"),
    ] = None,
) -> None:
    """Measure the recall legs of an encoder by exact search, and a ranker on top of them.

    With --against it exits with 1 if a row got worse by more than the tolerance.
    """
    if ranker and not encoder:
        raise typer.BadParameter("--ranker needs --encoder: it ranks what the hybrid found")
    analyzer = WordAnalyzer()
    figures: dict[str, object] = {}
    outcomes = Outcomes(tolerance)
    with plain_errors(), ExitStack() as stack:
        chosen = load_tasks(tasks, data_dir, split, sample)
        for target in (json_file, page, *(save and save / _file(task) for task in chosen)):
            check_target(target)
        earlier = {task.name: load_run(against / _file(task)) for task in chosen if against}
        vectors: Encoder | None = None
        if encoder:
            vectors = stack.enter_context(encoder_at(encoder, precision))
        network: Ranker | None = None
        if ranker:
            network = stack.enter_context(ranker_at(ranker, precision))
        for task in chosen:
            if vectors is None:
                rankings = legs.rank_with_words(task, analyzer)
            else:
                rankings = legs.rank_with_legs(
                    task,
                    analyzer,
                    vectors,
                    cache=cache,
                    dense_weight=dense_weight,
                    ranker=network,
                    rank_depth=rank_depth,
                )
            for name, rows, queries in tables(task, rankings):
                typer.echo(report.markdown(name, queries, len(task.corpus), rows) + "\n")
                figures[name] = report.as_json(rows)
            outcomes.add(
                task,
                legs.qrels_of(task),
                rankings,
                save=save and save / _file(task),
                against=earlier.get(task.name),
                table=False,
            )
        if network is not None and (found := _discrimination(network, data_dir, sample)):
            typer.echo(f"Ranker on held-out web judgements: {found}")
            figures["web_relevance"] = found.as_json()
        if json_file:
            write_figures(json_file, figures)
        outcomes.end(page)


def _file(task: Task) -> str:
    """Name of the file of a task in a folder of saved runs."""
    return f"{task.name}.json"


def _discrimination(network: Ranker, data_dir: Path, sample: int | None) -> Discrimination | None:
    try:
        return ranker_auc(network, data_dir, sample)
    except (DataMissing, DataInvalid) as reason:  # The tables have been computed by now.
        typer.echo(f"AUC is left out: {reason}", err=True)
        return None


if __name__ == "__main__":
    typer.run(main)
