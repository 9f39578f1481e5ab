"""The command `xunwen prepare`."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from training.data.public import FILES
from training.failures import DataInvalid

app = typer.Typer(add_completion=False)


@app.command()
def prepare(
    clones: Annotated[
        Path,
        typer.Argument(
            help="Folder with clones of FewCLUE, SimCLUE, QBQTC and cmrc2018, or some of them"
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder to which the files are written")] = Path(
        "data"
    ),
) -> None:
    """Make the training files that the project does not ship from local clones.

    docs/training.md lists them. If a repository is missing, a line says so and its files are left
    out.
    """
    logging.basicConfig(format="%(message)s", level=logging.ERROR)
    made = 0
    for file in FILES:
        try:
            lines = file.write(clones, output)
        except (DataInvalid, OSError) as error:
            typer.echo(f"left out: {error}", err=True)
            continue
        typer.echo(f"{output / file.name}: {lines:,} lines")
        made += 1
    if not made:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
