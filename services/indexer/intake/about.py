"""The description of an input that a reader needs beside the bytes."""

from dataclasses import dataclass

from services.common.wire.input_formats import Charset, InputFormat
from services.indexer.intake.files.sandbox import Sandbox
from services.indexer.intake.mapping import FieldMapping


@dataclass(frozen=True, slots=True)
class About:
    """An input that is being read."""

    format: InputFormat
    mapping: FieldMapping
    sandbox: Sandbox
    """Process in which files are read whose readers may crash."""
    name: str = ""
    """Name of the file, with its folders if it is in an archive; empty if it is not known."""
    charset: Charset | None = None
    """Declared or recognised charset; None lets a text that is one document show its own."""
