"""The `xunwen` command."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from xunwen.cli import (
    bench,
    collections,
    docs,
    index,
    jobs,
    offline,
    rules,
    searching,
    suggesting,
    system,
)
from xunwen.cli.charset import escape_what_is_lacking
from xunwen.cli.context import Connection
from xunwen.cli.exits import EXPECTED, Exit, fail
from xunwen.client.exchange import DEFAULT_URL

app = typer.Typer(
    name="xunwen",
    help="Semantic search for Chinese documents. `xunwen up` starts everything on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 not done, 2 wrong usage, 3 nobody answers,"
    " 4 indexed with rejected documents, 130 interrupted.",
)
for module in (
    *(system, searching, suggesting, index, jobs, docs, collections, rules),
    *(offline, bench),
):
    module.register(app)  # The commands have the order of the help.


_OF_THIS_MACHINE = ("up", "down", "status", "logs")
"""Commands that act on this machine only, whatever gateway the environment names."""


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"xunwen {version('xunwen')}")
        raise typer.Exit


@app.callback()
def connection(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="XUNWEN_URL",
            help="Address of the gateway. Default: the one that `xunwen up` started here, else"
            f" {DEFAULT_URL}.",
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="XUNWEN_API_KEY", help="API key, if the gateway asks for one."),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")] = 30.0,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    source = ctx.get_parameter_source("url")
    named = source is not None and source.name == "COMMANDLINE"
    if named and ctx.invoked_subcommand in _OF_THIS_MACHINE:
        raise typer.BadParameter(
            f"`xunwen {ctx.invoked_subcommand}` acts on the system of this machine; leave --url out"
        )
    ctx.obj = Connection(url, api_key, timeout)


def main() -> None:
    """Runs the command line; expected errors become one line and a documented exit code."""
    output = sys.stdout
    escape_what_is_lacking(output)
    try:
        app()
    except EXPECTED as error:
        sys.exit(fail(error))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except SystemExit:
        if sys.stdout is not output:
            # Typer has replaced it, since its reader, such as `head`, has closed it.
            sys.exit(Exit.DONE)
        raise
