"""`xunwen eval online`, which is `make eval`, measures a running system."""

import asyncio
import secrets
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from services.common.calls.client import ServiceClient
from training.cli.outcomes import write_figures
from training.data.splits import Split
from training.evaluation import report
from training.evaluation.selection import load_tasks
from training.evaluation.served import IndexingFailed, run_task, temporary_collection
from training.evaluation.tables import tables
from training.evaluation.tasks import PAPER_TASKS, Task
from training.failures import plain_errors
from training.targets import check_target
from xunwen.client import AsyncClient, XunwenError
from xunwen.embedded.settings import EmbeddedSettings, last_settings

_TIMEOUT_SECONDS = 120.0
_PROGRESS_EVERY = 50


@plain_errors()
def main(
    data_dir: Annotated[Path, typer.Option(help="Folder of the evaluation files")] = Path("data"),
    gateway: Annotated[
        str | None,
        typer.Option(
            help="Address of the gateway; default: that of the system which `xunwen up` started"
            " here"
        ),
    ] = None,
    recall: Annotated[
        str | None, typer.Option(help="Address of recall; default as for the gateway")
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="XUNWEN_API_KEY", help="API key with the scopes search and admin"),
    ] = None,
    internal_token: Annotated[
        str | None,
        typer.Option(envvar="XUNWEN_INTERNAL_TOKEN", help="Internal token that recall expects"),
    ] = None,
    tasks: Annotated[str, typer.Option(help="Comma-separated")] = PAPER_TASKS,
    split: Annotated[
        Split, typer.Option(help="Split of the papers whose queries are used")
    ] = Split.TEST,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Number of queries, the first ones")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Number of queries at the same time")] = 2,
    json_file: Annotated[
        Path | None, typer.Option(help="File to which the figures are also written")
    ] = None,
) -> None:
    """Measure every stage of a running system: BM25, dense, hybrid, coarse, fine, rerank.

    Each corpus is indexed into a temporary collection through a bulk job and removed again.
    """
    check_target(json_file)
    local = last_settings(EmbeddedSettings())
    gateway = gateway or local.gateway_url
    recall = recall or f"http://127.0.0.1:{local.recall_port}"
    loaded = load_tasks(tasks, data_dir, split, sample)
    try:
        figures = asyncio.run(
            _measure(loaded, gateway, recall, api_key, internal_token, concurrency)
        )
    except (XunwenError, IndexingFailed) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except ExceptionGroup as errors:
        typer.echo(f"A search failed: {errors.exceptions[0]}", err=True)
        raise typer.Exit(1) from errors
    if json_file:
        write_figures(json_file, figures)


async def _measure(
    tasks: list[Task],
    gateway_url: str,
    recall_url: str,
    api_key: str | None,
    internal_token: str | None,
    concurrency: int,
) -> dict[str, object]:
    figures: dict[str, object] = {}
    async with (
        AsyncClient(gateway_url, api_key=api_key, timeout=_TIMEOUT_SECONDS) as gateway,
        ServiceClient(
            "recall", recall_url, timeout=_TIMEOUT_SECONDS, token=internal_token
        ) as recall,
    ):
        for _digest, group in groupby(tasks, key=lambda task: task.corpus.digest):
            together = [*group]
            corpus = together[0].corpus
            name = f"eval_{secrets.token_hex(4)}"
            typer.echo(f"indexing {len(corpus):,} documents into {name}", err=True)
            async with temporary_collection(gateway, name, corpus):
                for task in together:
                    done = 0

                    def progress(more: int, task: Task = task) -> None:
                        nonlocal done
                        done += more
                        if done % _PROGRESS_EVERY == 0:
                            typer.echo(f"{task.name}: {done} of {len(task.queries)}", err=True)

                    run = await run_task(
                        task, name, gateway, recall, concurrency=concurrency, progress=progress
                    )
                    for title, rows, queries in tables(task, run.rankings):
                        typer.echo(report.markdown(title, queries, len(corpus), rows) + "\n")
                        figures[title] = {**report.as_json(rows), "degraded": dict(run.degraded)}
                    if run.degraded:
                        typer.echo(f"Degraded answers: {dict(run.degraded)}\n")
    return figures
