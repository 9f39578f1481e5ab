"""What a user of the training commands can mend, and how it is said.

TrainingError
├── RecipeInvalid      a setting is missing or wrong
├── DataInvalid        a file without a usable line, or a damaged one
├── ModelUnknown       neither a directory nor a model that paddlenlp knows
├── PositionsExceeded  a text may be longer than the network reads
├── RunMismatch        the run directory belongs to other settings or data
├── RunInUse           another process trains in the run directory
├── RunDiverged        the loss is no number any more
├── ProgramUnknown     the network has an operator that the export cannot write
├── ParityError        an exported program computes something else
└── ExtractionError    an extraction cannot start, go on or be loaded (training.extract.shards)
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from services.common.errors import SearchError


class TrainingError(Exception):
    """Base of the errors that a user can mend; the message says how."""


class RecipeInvalid(TrainingError):
    """A recipe that cannot be run; the message names the setting."""


class DataInvalid(TrainingError):
    """A file without a single usable line, one that is damaged, or one that does not exist."""


class ModelUnknown(TrainingError):
    """The source of a model is neither a directory nor a name that paddlenlp knows."""


class PositionsExceeded(TrainingError):
    """A setting asks for more tokens of a text than the network has positions."""


class RunMismatch(TrainingError):
    """The run directory belongs to a run with other settings or of other data."""


class RunInUse(TrainingError):
    """Another process trains in the run directory."""


class RunDiverged(TrainingError):
    """The loss is infinite or no number."""


class ProgramUnknown(TrainingError):
    """The network has an operator that the exported program cannot have."""


class ParityError(TrainingError):
    """The exported program does not compute what the network computes."""


@contextmanager
def plain_errors() -> Iterator[None]:
    """Prints errors that a user can mend in one line and exits with code 1, instead of a stack
    trace."""
    try:
        yield
    except (TrainingError, SearchError) as error:
        typer.echo(str(error), err=True)
    except UnicodeDecodeError:
        typer.echo("The input is not UTF-8.", err=True)
    except OSError as error:
        reason = error.strerror or str(error)
        typer.echo(f"{error.filename}: {reason}" if error.filename else reason, err=True)
    else:
        return
    raise typer.Exit(1)
