"""`xunwen index`."""

from pathlib import Path
from typing import Annotated

import typer

from services.common.wire.jobs import InputFormat, JobMode
from xunwen.cli.context import AsJson, client_of, console, json_object, print_json
from xunwen.cli.following import follow


def register(app: typer.Typer) -> None:
    app.command("index")(index)


def index(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(help="jsonl, csv, tsv, parquet or txt (a text a line), also gzipped."),
    ],
    collection: Annotated[
        str, typer.Option("--collection", "-c", help="Where to; made if it does not exist.")
    ],
    mode: Annotated[
        JobMode, typer.Option(help="upsert adds and replaces; rebuild replaces all.")
    ] = JobMode.UPSERT,
    format: Annotated[
        InputFormat | None, typer.Option(help="When the file's name does not tell it.")
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            help="""The columns, JSON: '{"id": "no", "title": "name", "text": "body"}'."""
        ),
    ] = None,
    max_errors: Annotated[
        int | None, typer.Option(min=0, help="Stop after so many rejected documents.")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key submits the same file only once.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Watch the job to its end.")] = True,
    as_json: AsJson = False,
) -> None:
    """Index a file of documents as a bulk job.

    Documents have an id, a title or a text, and any fields for filters.
    Example: xunwen index papers.csv --collection papers
    """
    with client_of(ctx) as client:
        job = client.index(
            file,
            collection=collection,
            mode=mode,
            format=format,
            mapping=json_object(mapping, "mapping"),
            max_errors=max_errors,
            idempotency_key=idempotency_key,
        )
        if wait:
            follow(client, job.id, as_json=as_json)
        elif as_json:
            print_json(job)
        else:
            console.print(f"job {job.id} accepted; see `xunwen jobs watch {job.id}`")
