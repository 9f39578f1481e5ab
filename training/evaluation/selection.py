"""Chooses the tasks that a command measures: those of its option whose files exist."""

from pathlib import Path

import typer

from training.data.splits import Split
from training.evaluation.tasks import TASKS, DataMissing, Task, load_task
from training.failures import DataInvalid


def load_tasks(names: str, data_dir: Path, split: Split, sample: int | None) -> list[Task]:
    """The tasks of a comma-separated list; a task whose data is missing is left out, and a line
    says so. Raises DataInvalid if none is left."""
    tasks = []
    for name in filter(None, names.split(",")):
        if name not in TASKS:
            raise typer.BadParameter(f"there is no task {name}; the tasks are {', '.join(TASKS)}")
        try:
            tasks.append(load_task(name, data_dir, split, sample))
        except DataMissing as missing:
            typer.echo(f"{name} is left out: {missing}\n", err=True)
    if not tasks:
        raise DataInvalid(f"nothing is measured: {data_dir} holds the data of none of these tasks")
    return tasks
