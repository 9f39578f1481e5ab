"""The command `xunwen suggest`."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from xunwen.cli.context import AsJson, client_of, console, print_json


def register(app: typer.Typer) -> None:
    """Adds the command to the main application."""
    app.command("suggest")(suggest)


def suggest(
    ctx: typer.Context,
    typed: Annotated[
        str, typer.Argument(help="Beginning of a query: characters, pinyin, or its first letters.")
    ],
    collection: Annotated[
        str, typer.Option("--collection", "-c", help="Collection whose titles and keywords fit.")
    ] = "literature",
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", help="Most suggestions; 8 if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Complete a query that is being typed.

    Example: xunwen suggest sjwl
    """
    with client_of(ctx) as client:
        found = client.suggest(typed, collection=collection, limit=limit)
    if as_json:
        print_json(found)
        return
    table = Table(box=None, show_header=False)
    for one in found.suggestions:
        table.add_row(Text(one.text), Text(one.kind, "dim"), Text(f"{one.count:,}", "dim"))
    if found.suggestions:
        console.print(table)
    if found.did_you_mean:
        console.print(f"did you mean: {found.did_you_mean}")
    if not found.suggestions and not found.did_you_mean:
        console.print("No suggestion fits.")
    if not found.complete:
        console.print("The collection has not been read whole, so there may be others.")
