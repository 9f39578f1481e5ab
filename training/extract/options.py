"""What the commands of this package share: options, and errors in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from services.common.errors import SearchError
from services.common.model_dir import WantedPrecision
from training.extract.shards import ExtractionError

ENCODER = Path("models/literature-encoder")

EncoderOption = Annotated[Path, typer.Option(help="Model directory of an encoder")]
PrecisionOption = Annotated[WantedPrecision, typer.Option(help="auto: the fastest on this machine")]


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
