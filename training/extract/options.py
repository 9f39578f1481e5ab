"""What the commands of this package share: options, and errors in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from services.common.errors import SearchError
from training.extract.shards import ExtractionError

ENCODER = Path("models/literature-encoder")

EncoderOption = Annotated[Path, typer.Option(help="Model directory of an encoder")]
PrecisionOption = Annotated[
    Literal["auto", "fp32", "bf16"], typer.Option(help="auto: bf16 where the CPU computes in it")
]


@contextmanager
def plain_errors() -> Iterator[None]:
    """What a user can mend is said in one line, with exit code 1."""
    try:
        yield
    except (ExtractionError, SearchError) as error:
        typer.echo(str(error), err=True)
    except UnicodeDecodeError:
        typer.echo("The input is not UTF-8.", err=True)
    except OSError as error:
        typer.echo(f"{error.filename}: {error.strerror}", err=True)
    else:
        return
    raise typer.Exit(1)
