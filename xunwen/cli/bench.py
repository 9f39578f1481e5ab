"""`xunwen bench`: the benchmarks of the checkout, which no wheel carries."""

import subprocess
import sys
from pathlib import Path

import typer

from xunwen.client import XunwenError

_CHECKOUT = Path(__file__).resolve().parents[2]


def register(app: typer.Typer) -> None:
    app.command(
        "bench",
        rich_help_panel="Offline",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(bench)


def bench(ctx: typer.Context) -> None:
    """Speed beside other engines and servers: embed, rerank, search, scale."""
    if not (_CHECKOUT / "benchmarks").is_dir():
        raise XunwenError("`xunwen bench` runs in a checkout: clone the repository and `make dev`.")
    command = [sys.executable, "-m", "benchmarks", *ctx.args]
    raise typer.Exit(subprocess.run(command, cwd=_CHECKOUT, check=False).returncode)  # noqa: S603
