"""Options that several commands share, and the check of their values."""

from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from services.common.precision import WantedPrecision
from services.common.validation import first_reason
from training.failures import ModelUnknown

M = TypeVar("M", bound=BaseModel)

ENCODER = Path("models/literature-encoder")

EncoderOption = Annotated[Path, typer.Option(help="Model directory of an encoder")]
PrecisionOption = Annotated[
    WantedPrecision, typer.Option(help="Arithmetic; auto takes the fastest on this machine")
]


def validated(kind: type[M], **members: object) -> M:
    """The object of these members. Raises ModelUnknown if it cannot have them."""
    try:
        return kind.model_validate(members)
    except ValidationError as error:
        raise ModelUnknown(first_reason(error)) from error
