"""Options that say how a file of documents is read; they are those of `xunwen index`."""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from services.common.validation import first_reason
from services.common.wire.input_formats import Charset, InputFormat
from services.indexer.intake.mapping import FieldMapping
from training.data.documents import DocumentFile
from training.failures import DataInvalid

FormatOption = Annotated[
    InputFormat | None, typer.Option(help="Format of the file; needed if its name does not tell it")
]
MappingOption = Annotated[
    str | None, typer.Option(help="""The columns as JSON: '{"id": "no", "text": "body"}'""")
]
CharsetOption = Annotated[Charset | None, typer.Option(help="Charset of a file that is not UTF-8")]


def document_file(
    path: Path, named: InputFormat | None, mapping: str | None, charset: Charset | None
) -> DocumentFile:
    """The file with these options. Raises DataInvalid, SearchError."""
    return DocumentFile(path, format=named, mapping=_mapping(mapping), charset=charset)


def _mapping(text: str | None) -> FieldMapping | None:
    if text is None:
        return None
    try:
        return FieldMapping.model_validate(json.loads(text))
    except ValueError as error:
        reason = first_reason(error) if isinstance(error, ValidationError) else str(error)
        raise DataInvalid(f"--mapping: {reason}") from error
