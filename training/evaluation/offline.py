"""Evaluates a model without servers: `python -m training.evaluation.offline --data-dir DIR`.

Exact search and BM25 in one process. The cascade as users get it is measured through the
running services instead: see `training.evaluation.online`.
"""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from services.common.engine import Encoder, Ranker
from services.common.text import WordAnalyzer
from services.recall.domain import DENSE_WEIGHT
from training.evaluation import legs, report
from training.evaluation.auc import Discrimination, ranker_auc
from training.evaluation.metrics import measure
from training.evaluation.models import encoder_at, ranker_at
from training.evaluation.reranking import rerank
from training.evaluation.splits import Split
from training.evaluation.tasks import TASKS, DataMissing, Task, load_task
from training.extract.options import PrecisionOption


def main(
    data_dir: Annotated[Path, typer.Option(help="Folder of the evaluation files")] = Path("data"),
    encoder: Annotated[
        Path | None, typer.Option(help="Model directory or checkpoint; without: BM25 only")
    ] = None,
    ranker: Annotated[
        Path | None, typer.Option(help="Model directory or checkpoint; adds its rows and AUC")
    ] = None,
    tasks: Annotated[str, typer.Option(help="Comma-separated")] = ",".join(TASKS),
    split: Annotated[Split, typer.Option(help="Papers whose queries are asked")] = Split.ALL,
    sample: Annotated[int | None, typer.Option(min=1, help="First so many queries")] = None,
    dense_weight: Annotated[float, typer.Option(min=0, max=1)] = DENSE_WEIGHT,
    rank_depth: Annotated[int, typer.Option(min=1, help="Candidates the ranker sees")] = 50,
    ranker_weight: Annotated[float, typer.Option(min=0, max=1)] = 0.5,
    precision: PrecisionOption = "auto",
    cache: Annotated[Path | None, typer.Option(help="Keeps document vectors here")] = None,
    json_file: Annotated[Path | None, typer.Option(help="Also writes the figures here")] = None,
) -> None:
    """Measure the recall legs of an encoder by exact search, and a ranker on top of them."""
    if ranker and not encoder:
        raise typer.BadParameter("--ranker needs --encoder: it ranks what the hybrid found")
    analyzer = WordAnalyzer()
    figures: dict[str, object] = {}
    with ExitStack() as stack:
        vectors: Encoder | None = None
        if encoder:
            vectors = stack.enter_context(encoder_at(encoder, precision))
        judge: Ranker | None = None
        if ranker:
            judge = stack.enter_context(ranker_at(ranker, precision))
        for task in load_tasks(tasks, data_dir, split, sample):
            if vectors is None:
                rankings = legs.rank_with_words(task, analyzer)
            else:
                rankings = legs.rank_with_legs(
                    task, analyzer, vectors, cache=cache, dense_weight=dense_weight
                )
            if judge is not None:
                rankings |= rerank(
                    task,
                    rankings[legs.HYBRID],
                    judge,
                    depth=rank_depth,
                    ranker_weight=ranker_weight,
                )
            qrels = legs.qrels_of(task)
            rows = {leg: measure(qrels, ranking) for leg, ranking in rankings.items()}
            typer.echo(report.markdown(task.name, len(task.queries), len(task.corpus), rows) + "\n")
            figures[task.name] = report.as_json(rows)
        if judge is not None and (found := _discrimination(judge, data_dir, sample)):
            typer.echo(f"Ranker on held-out web judgements: {found}")
            figures["web_relevance"] = found.as_json()
    if json_file:
        json_file.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def load_tasks(names: str, data_dir: Path, split: Split, sample: int | None) -> list[Task]:
    """The tasks of a comma-separated list; one whose data is missing is left out in words."""
    tasks = []
    for name in filter(None, names.split(",")):
        if name not in TASKS:
            raise typer.BadParameter(f"there is no task {name}; the tasks are {', '.join(TASKS)}")
        try:
            tasks.append(load_task(name, data_dir, split, sample))
        except DataMissing as missing:
            typer.echo(f"{name} is left out: {missing}\n", err=True)
    return tasks


def _discrimination(judge: Ranker, data_dir: Path, sample: int | None) -> Discrimination | None:
    try:
        return ranker_auc(judge, data_dir, sample)
    except DataMissing as missing:
        typer.echo(f"AUC is left out: {missing}", err=True)
        return None


if __name__ == "__main__":
    typer.run(main)
