"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from services.common.precision import WantedPrecision

ENCODER = Path("models/literature-encoder")

EncoderOption = Annotated[Path, typer.Option(help="Model directory of an encoder")]
PrecisionOption = Annotated[
    WantedPrecision, typer.Option(help="Arithmetic; auto takes the fastest on this machine")
]
