"""The `xunwen` command."""

import sys
from typing import Annotated

import typer

from xunwen.cli import bench, collections, docs, index, jobs, offline, searching, system
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
system.register(app)
searching.register(app)
index.register(app)
app.add_typer(jobs.app, name="jobs")
app.add_typer(docs.app, name="docs")
app.add_typer(collections.app, name="collections")
offline.register(app)
bench.register(app)


@app.callback()
def connection(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="XUNWEN_URL",
            help=f"The gateway. Default: what `xunwen up` started here, else {DEFAULT_URL}.",
        ),
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="XUNWEN_API_KEY", help="Needed where keys are on.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")] = 30.0,
) -> None:
    ctx.obj = Connection(url, api_key, timeout)


def main() -> None:
    """Runs the command line; expected errors become one line and a documented exit code."""
    try:
        app()
    except EXPECTED as error:
        sys.exit(fail(error))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader, `head` for one, has seen enough
        sys.exit(Exit.DONE)
