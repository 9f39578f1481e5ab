"""The input formats that jobs read, for programs that choose files, such as the web page."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.common.wire.input_formats import Compression, InputFormat

router = APIRouter(prefix="/v1/input-formats", tags=["index jobs"])


class FormatInfo(BaseModel):
    """An input format with its file endings and content types."""

    name: InputFormat
    suffixes: list[str] = Field(description="Endings of file names, in lower case")
    media_types: list[str] = Field(description="Content types that stand for the format")
    whole: bool = Field(description="Whether a file of it is one document")
    delimiter: str | None = Field(
        description="Sign between the cells of a row, if the format is a text of such rows"
    )


class CompressionInfo(BaseModel):
    """A compression that inputs may have."""

    name: Compression = Field(description="Name of the compression, as in Content-Encoding")
    suffix: str = Field(description="Ending of file names, which follows that of the format")


class InputFormats(BaseModel):
    """The formats and compressions that jobs read."""

    formats: list[FormatInfo]
    compressions: list[CompressionInfo]


@router.get("", summary="The formats that a job reads")
async def input_formats() -> InputFormats:
    """Lists the endings and content types by which an input is recognised."""
    return InputFormats(
        formats=[
            FormatInfo(
                name=each,
                suffixes=list(each.suffixes),
                media_types=list(each.media_types),
                whole=each.whole,
                delimiter=each.delimiter or None,
            )
            for each in InputFormat
        ],
        compressions=[CompressionInfo(name=each, suffix=each.suffix) for each in Compression],
    )
