"""The command `xunwen index`."""

from typing import Annotated

import typer

from services.common.wire.input_formats import Charset, InputFormat
from services.common.wire.jobs import JobMode
from xunwen.cli.context import AsJson, client_of, console, json_object, print_json
from xunwen.cli.following import follow

PartitionOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Partition of every document, in a collection that was created with --partition-key.",
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the command to the main application."""
    app.command("index")(index)


def index(
    ctx: typer.Context,
    collection: Annotated[
        str,
        typer.Option(
            "--collection", "-c", help="Name of the collection; it is made if it does not exist."
        ),
    ],
    files: Annotated[
        list[str] | None,  # A path would not tell an empty name from the working folder.
        typer.Argument(
            help=f"A file, several, or a folder: {', '.join(InputFormat)}. `lines` is a text on"
            " each line, and the ending .txt of a single file."
        ),
    ] = None,
    mode: Annotated[
        JobMode,
        typer.Option(
            help="`upsert` adds and replaces documents; `rebuild` replaces the whole collection;"
            " `import` fills an empty one by a Milvus server's bulk import."
        ),
    ] = JobMode.UPSERT,
    format: Annotated[
        InputFormat | None,
        typer.Option(help="Format of the input; needed if the file's name does not tell it."),
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            help="""The columns as JSON: '{"id": "no", "title": "name", "text": "body"}'."""
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Another name for the file: the id of a PDF, DOCX, HTML or text."),
    ] = None,
    charset: Annotated[
        Charset | None, typer.Option(help="Charset of a file that is not UTF-8.")
    ] = None,
    max_errors: Annotated[
        int | None,
        typer.Option(min=0, help="The job fails with more rejected documents than this."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="Fingerprint of the encoder that made the vectors of the input."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Switch to the rebuilt index even if it answers golden queries worse."
        ),
    ] = False,
    partition: PartitionOption = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="Path or s3:// address, instead of a file, that the server reads under a root"
            " that its operator allowed."
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(help="Address of a .npy matrix with a row for each document of --source."),
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Key under which the same file is submitted only once.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Watch the job to its end.")] = True,
    as_json: AsJson = False,
) -> None:
    """Index documents as a bulk job, from files or from what the server reads.

    Documents have an id, a title or a text, and any fields for filters. A PDF, DOCX, HTML or
    Markdown file is one document, whose id is its name.
    Example: xunwen index papers.csv --collection papers
    Example: xunwen index ~/papers/*.pdf --collection papers
    """
    if bool(files) == (source is not None):
        raise typer.BadParameter("give either files or --source")
    given = None if not files else files[0] if len(files) == 1 else files
    with client_of(ctx) as client:
        job = client.index(
            given,
            collection=collection,
            mode=mode,
            format=format,
            mapping=json_object(mapping, "mapping"),
            name=name,
            charset=charset,
            max_errors=max_errors,
            encoder=encoder,
            force=force,
            partition=partition,
            source=source,
            vectors=vectors,
            idempotency_key=idempotency_key,
        )
        if wait:
            follow(client, job.id, as_json=as_json)
        elif as_json:
            print_json(job)
        else:
            console.print(f"job {job.id} accepted; see `xunwen jobs watch {job.id}`")
