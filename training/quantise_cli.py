"""`xunwen quantise`."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from training import runtime
from training.failures import plain_errors

app = typer.Typer(add_completion=False)


@app.command()
def quantise(
    directory: Annotated[Path, typer.Argument(help="A model directory, its weights unpacked")],
) -> None:
    """Give a model directory that was exported before an int8 program.

    Its fingerprint stays: what the int8 program answers may be mixed with the others' answers.
    """
    runtime.prepare()
    logging.basicConfig(format="%(message)s", level=logging.ERROR)
    logging.getLogger("training").setLevel(logging.INFO)
    with plain_errors():
        from training.parity import PROBE
        from training.quantisation.int8 import write_int8

        parity = write_int8(directory, PROBE)
    typer.echo(f"{directory} has an int8 program; parity {parity:.4f}")


if __name__ == "__main__":
    app()
