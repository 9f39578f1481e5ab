"""Shows a bulk job while it runs, and its outcome."""

import sys

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.common.wire.input_formats import Charset
from services.common.wire.jobs import Job, JobState
from xunwen.cli.context import console, print_json
from xunwen.cli.exits import Exit
from xunwen.client import Client, ConnectionFailed


def follow(client: Client, job_id: str, *, as_json: bool) -> None:
    """Watches a job to its end. Exits with 1 if it failed, with 4 if documents were rejected."""
    try:
        job = _watched_as_json(client, job_id) if as_json else _watched(client, job_id)
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{_goes_on(job_id)}\n")
        raise typer.Exit(Exit.INTERRUPTED) from None
    except ConnectionFailed as error:
        raise ConnectionFailed(f"{error} {_goes_on(job_id)}") from error
    if not as_json:
        console.print(outcome(job))
    if job.state is JobState.SUCCEEDED_WITH_ERRORS:
        raise typer.Exit(Exit.WITH_REJECTED)
    if job.state is not JobState.SUCCEEDED:
        raise typer.Exit(Exit.FAILED)


def _goes_on(job_id: str) -> str:
    return f"The job goes on; see `xunwen jobs watch {job_id}`."


def outcome(job: Job) -> str:
    """What became of a finished job, and how its input was read, in a few lines."""
    counts = job.counts
    said = (
        f"job {job.id} {job.state}: {counts.read:,} read, {counts.indexed:,} indexed,"
        f" {counts.rejected:,} rejected, {counts.deduplicated:,} deduplicated"
    )
    if job.message:
        said += f". {job.message}"
    if job.charset not in (None, Charset.UTF8):
        said += f"\nThe charset is {job.charset.upper()}."
    if job.columns:
        columns = ", ".join(f"{column} as {name}" for name, column in job.columns.items())
        said += f"\nColumns: {columns}."
    if counts.rejected:
        said += f"\nsee `xunwen jobs errors {job.id}`"
    return said


def _watched_as_json(client: Client, job_id: str) -> Job:
    job = client.wait(job_id)
    print_json(job)
    return job


def _watched(client: Client, job_id: str) -> Job:
    with Progress(
        TextColumn("{task.fields[state]:<10}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bars:
        task = bars.add_task("job", total=None, state="queued", rate="")
        for job in client.watch(job_id):
            done = job.counts.indexed + job.counts.rejected + job.counts.deduplicated
            rate = f"{job.rate:,.0f}/s" if job.rate else ""
            bars.update(
                task,
                completed=done,
                total=job.total,
                state=job.state,
                rate=rate if job.state.final else job.message or rate,
            )
    return job
