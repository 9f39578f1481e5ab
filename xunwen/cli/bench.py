"""`xunwen bench`: the benchmarks of the checkout, which no wheel carries."""

import subprocess
import sys
from pathlib import Path

import typer

from xunwen.client import XunwenError

_CHECKOUT = Path(__file__).resolve().parents[2]
_ELSEWHERE = "`xunwen bench` runs in a checkout: clone the repository and `make dev`."


def register(app: typer.Typer) -> None:
    """Adds the command to the main application."""
    app.command(
        "bench",
        rich_help_panel="Offline",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(bench)


def bench(ctx: typer.Context) -> None:
    """Speed beside other engines and servers: embed, rerank, cold, search, scale."""
    if not (_CHECKOUT / "benchmarks").is_dir():
        if "--help" in ctx.args:
            typer.echo(f"{ctx.get_help()}\n{_ELSEWHERE}")
            return
        raise XunwenError(_ELSEWHERE)
    command = [sys.executable, "-m", "benchmarks", *ctx.args]
    raise typer.Exit(subprocess.run(command, cwd=_CHECKOUT, check=False).returncode)  # noqa: S603
