"""`xunwen collections`."""

from typing import Annotated

import typer
from rich.table import Table

from services.common.wire.collections import Collection
from xunwen.cli.context import AsJson, client_of, console, print_json, print_json_lines
from xunwen.cli.following import follow

app = typer.Typer(help="Collections: list, create, rebuild, delete.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The collection's name.")]


@app.command("list")
def list_collections(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the collections."""
    with client_of(ctx) as client:
        found = client.collections()
    if as_json:
        print_json_lines(found)
    else:
        console.print(_table(found) if found else "There are no collections.")


@app.command()
def show(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show one collection."""
    with client_of(ctx) as client:
        collection = client.collection(name)
    _print(collection, as_json)


@app.command()
def create(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Create an empty collection."""
    with client_of(ctx) as client:
        collection = client.create_collection(name)
    _print(collection, as_json)


@app.command()
def delete(
    ctx: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
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


@app.command()
def rebuild(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Index a collection anew, needed after a change of the encoder; searches go on meanwhile."""
    with client_of(ctx) as client:
        accepted = client.rebuild(name)
        follow(client, accepted.job_id, as_json=as_json)


@app.command()
def rollback(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Put back the index that the last rebuild replaced."""
    with client_of(ctx) as client:
        collection = client.rollback(name)
    _print(collection, as_json)


def _print(collection: Collection, as_json: bool) -> None:
    if as_json:
        print_json(collection)
    else:
        console.print(_table([collection]))


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
