"""The commands `xunwen collections`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.table import Table

from services.common.documents import id_of
from services.common.validation import first_reason
from services.common.wire.collections import Collection
from services.common.wire.golden import GoldenQuery
from services.common.wire.input_formats import InputFormat, format_of_name
from xunwen.cli import fields
from xunwen.cli.context import (
    AsJson,
    client_of,
    console,
    json_object,
    json_of,
    print_json,
    print_json_lines,
    print_line,
    read_text,
    write_file,
)
from xunwen.cli.following import follow
from xunwen.client import XunwenError

group = typer.Typer(
    help="Collections: list, create, export, rebuild, delete.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the commands to the main application."""
    group.command()(fields.fields)
    app.add_typer(group, name="collections")


Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the collection.")]
Encoder = Annotated[
    str | None,
    typer.Option(
        metavar="FINGERPRINT",
        help="Fingerprint of the encoder that fills it, one of the installed ones; by default the"
        " one that it named before, or the installation's default.",
    ),
]


@group.command("list")
def list_collections(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the collections."""
    with client_of(ctx) as client:
        collections = client.collections()
    if as_json:
        print_json_lines(collections)
    else:
        _show(collections)


@group.command()
def show(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show one collection."""
    with client_of(ctx) as client:
        collection = client.collection(name)
    _print(collection, as_json)


@group.command()
def create(
    ctx: typer.Context,
    name: Name,
    encoder: Encoder = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=TYPE", help=f"{fields.TYPES_HELP} May be given more than once."
        ),
    ] = None,
    partition_key: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD",
            help="Field by whose values the documents are divided into partitions, such as tenant.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create an empty collection."""
    types = fields.types_of(field or [])
    with client_of(ctx) as client:
        collection = client.create_collection(
            name, encoder=encoder, fields=types or None, partition_key=partition_key
        )
    _print(collection, as_json)


@group.command()
def delete(
    ctx: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a collection with all its documents."""
    if not yes:
        typer.confirm(f"Delete {name} and all its documents?", abort=True)
    with client_of(ctx) as client:
        client.delete_collection(name)
    if as_json:
        print_json({"deleted": name})
    else:
        console.print(f"{name} deleted")


@group.command()
def rebuild(
    ctx: typer.Context,
    name: Name,
    encoder: Encoder = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Switch even if golden queries are answered worse, or if documents cannot be"
            " indexed anew, which are left out.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Index a collection anew, needed after a change of the encoder; searches go on meanwhile."""
    with client_of(ctx) as client:
        accepted = client.rebuild(name, encoder=encoder, force=force)
        follow(client, accepted.job_id, as_json=as_json)


@group.command()
def golden(
    ctx: typer.Context,
    name: Name,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="JSON lines with `query` and `ids`, or lines of a click log with `query` and"
            " `clicked`; without a file the present ones are shown.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set or show the queries that a rebuild must answer as well as before."""
    with client_of(ctx) as client:
        if file is None:
            for each in client.golden_queries(name):
                if as_json:
                    print_json(each)
                else:
                    print_line(each.query, " ".join(each.ids))
        else:
            number = client.put_golden_queries(name, _golden_lines(file))
            if as_json:
                print_json({"queries": number})
            else:
                console.print(f"{number:,} golden queries")


@group.command()
def rollback(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Return to the index that the last rebuild replaced."""
    with client_of(ctx) as client:
        collection = client.rollback(name)
    _print(collection, as_json)


@group.command()
def statistics(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show the fields of a collection: kinds, ranges, most frequent values."""
    with client_of(ctx) as client:
        found = client.statistics(name)
    if as_json:
        print_json(found)
        return
    table = Table("field", "documents", "kinds", "range", "different", "most frequent", box=None)
    for item in found.fields:
        table.add_row(
            item.name,
            f"{item.documents:,}",
            ", ".join(item.kinds) + (" (lists)" if item.lists else ""),
            "" if item.least is None else f"{item.least} to {item.greatest}",
            f"{'' if item.complete else 'over '}{item.distinct:,}",
            "; ".join(f"{top.value} ({top.documents:,})" for top in item.top[:3]),
        )
    console.print(f"{found.counted:,} of {found.documents:,} documents counted")
    console.print(table)


@group.command()
def export(
    ctx: typer.Context,
    name: Name,
    file: Annotated[
        Path,
        typer.Argument(help="File to write; its ending tells the format: .jsonl, .parquet."),
    ],
    filter: Annotated[
        str | None, typer.Option("--filter", "-f", help="A filter as JSON; all if left out.")
    ] = None,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="Write the stored vectors too.")
    ] = False,
) -> None:
    """Write the documents to a file that `xunwen index` can read.

    A file with --vectors can be indexed without encoding: use --mapping '{"vector": "vector"}' and
    the --encoder that `xunwen collections show` names.
    """
    form, compression = format_of_name(file.name)
    if form not in (InputFormat.JSONL, InputFormat.PARQUET) or compression:
        raise typer.BadParameter(f"{file.name}: name the file .jsonl or .parquet")
    condition = json_object(filter, "filter")
    with client_of(ctx) as client:
        write_file(file, client.export(name, format=form.value, filter=condition, vectors=vectors))
    console.print(f"{name} written to {file} ({file.stat().st_size:,} bytes)")


def _print(collection: Collection, as_json: bool) -> None:
    if as_json:
        print_json(collection)
    else:
        _show([collection])


def _show(collections: list[Collection]) -> None:
    """Prints a table of collections, and below it what is wrong with some of them."""
    console.print(_table(collections) if collections else "There are no collections.")
    for item in collections:
        if item.problem:
            console.print(item.problem, soft_wrap=True)


def _table(collections: list[Collection]) -> Table:
    table = Table("name", "documents", "words", "dimension", "encoder", "index version", box=None)
    for item in collections:
        table.add_row(
            item.name,
            f"{item.count:,}",
            "yes" if item.lexical else "no",
            str(item.dimension),
            item.encoder,
            item.index_version,
        )
    return table


def _golden_lines(file: Path) -> list[dict[str, Any]]:
    """The golden queries of a file; all clicked documents of a query are its right ones.

    Raises XunwenError.
    """
    right: dict[str, list[str]] = {}
    for number, line in enumerate(read_text(file).split("\n"), 1):
        if line.strip():
            golden = _golden(line, f"{file.name}, line {number}")
            right.setdefault(golden.query, []).extend(golden.ids)
    return [{"query": query, "ids": list(dict.fromkeys(ids))} for query, ids in right.items()]


def _golden(line: str, where: str) -> GoldenQuery:
    """The query of a line with the documents that answer it; other members are not read.

    Raises XunwenError.
    """
    try:
        item = json_of(line)
    except ValueError:
        item = None
    if not isinstance(item, dict) or not item.keys() & {"ids", "clicked"}:
        raise XunwenError(
            f"{where}: a JSON object with `query` and `ids` (or `clicked`) is needed."
        )
    ids = item["ids"] if "ids" in item else [item["clicked"]]
    members = {"ids": [*map(id_of, ids)] if isinstance(ids, list) else ids}
    if "query" in item:
        members["query"] = item["query"]
    try:
        return GoldenQuery.model_validate(members)
    except ValidationError as error:
        raise XunwenError(f"{where}: {first_reason(error)}.") from error
