"""The command `xunwen quantise`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from training.failures import plain_errors
from training.run import runtime

app = typer.Typer(add_completion=False)


@app.command()
def quantise(
    directory: Annotated[Path, typer.Argument(help="Model directory, whose weights are unpacked")],
) -> None:
    """Add an int8 program to an exported model directory that has none.

    Its weights are rounded to the same codes, so it gets a new fingerprint: collections that it
    filled must be rebuilt.
    """
    runtime.prepare()
    runtime.show_log()
    with plain_errors():
        from training.export.parity import PROBE
        from training.export.quantisation.int8 import write_int8

        parity = write_int8(directory, PROBE)
    typer.echo(f"{directory} has an int8 program; parity {json.dumps(parity)}")


if __name__ == "__main__":
    app()
