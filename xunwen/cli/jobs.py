"""The commands `xunwen jobs`: bulk-index jobs."""

from itertools import islice
from typing import Annotated

import typer
from rich.table import Table

from xunwen.cli.context import (
    AsJson,
    client_of,
    console,
    print_json,
    print_json_lines,
    print_line,
)
from xunwen.cli.following import follow, outcome
from xunwen.client import JobState

group = typer.Typer(help="Bulk-index jobs: list, watch, cancel, retry.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands to the main application."""
    app.add_typer(group, name="jobs")


JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.")]


@group.command("list")
def list_jobs(
    ctx: typer.Context,
    collection: Annotated[
        str | None,
        typer.Option("--collection", "-c", help="List the jobs of this collection only."),
    ] = None,
    state: Annotated[
        list[JobState] | None,
        typer.Option(help="List the jobs in this state only; may be given more than once."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most jobs to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    with client_of(ctx) as client:
        jobs = list(islice(client.jobs(collection=collection, state=state or None), limit))
    if as_json:
        print_json_lines(jobs)
        return
    table = Table(box=None)
    # Ids are not cut, so that they can be copied.
    table.add_column("job", no_wrap=True, overflow="fold")
    for name in ("collection", "state", "indexed", "rejected"):
        table.add_column(name, overflow="fold")
    table.add_column("created", no_wrap=True)
    for job in jobs:
        table.add_row(
            job.id,
            job.collection,
            job.state,
            f"{job.counts.indexed:,}",
            f"{job.counts.rejected:,}",
            job.created_at.astimezone().strftime("%m-%d %H:%M"),
        )
    console.print(table if jobs else "There are no jobs.")


@group.command()
def show(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Show one job."""
    with client_of(ctx) as client:
        job = client.job(job_id)
    if as_json:
        print_json(job)
    else:
        console.print(outcome(job))


@group.command()
def watch(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Watch a job to its end."""
    with client_of(ctx) as client:
        follow(client, job_id, as_json=as_json)


@group.command()
def errors(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Show the rejected lines of a job with their reasons."""
    with client_of(ctx) as client:
        for line in client.errors(job_id):
            if as_json:
                print_json(line)
            else:
                print_line(f"{line.place}: {line.reason}")


@group.command()
def cancel(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Cancel a job; documents that it has indexed stay."""
    with client_of(ctx) as client:
        client.cancel(job_id)
        job = client.wait(job_id)
    if as_json:
        print_json(job)
    else:
        console.print(outcome(job))


@group.command()
def retry(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Run the failed parts of a job again, and watch it."""
    with client_of(ctx) as client:
        follow(client, client.retry(job_id).id, as_json=as_json)
