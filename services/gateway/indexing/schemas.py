"""Query parameters and bodies of the public API of jobs."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.common.collection import NAME_PATTERN
from services.common.documents import Document
from services.common.wire.input_formats import InputFormat
from services.common.wire.jobs import JobOptions
from services.gateway.search.query.schemas import DEFAULT_COLLECTION

MAX_INLINE = 10_000


class PublicJobOptions(JobOptions):
    """The options of a job in the public API, where the collection has a default."""

    collection: str = Field(
        default=DEFAULT_COLLECTION,
        pattern=NAME_PATTERN,
        description="Collection of the documents; it is made if it does not exist",
    )


class InlineDocuments(BaseModel):
    """Documents in the body of the request itself."""

    model_config = ConfigDict(extra="forbid")

    documents: list[Document] = Field(min_length=1, max_length=MAX_INLINE)


_INLINE: dict[str, Any] = InlineDocuments.model_json_schema()
# FastAPI copies the schema as it is, and a reference in it would be looked for in the whole API.
_INLINE["properties"]["documents"]["items"] = _INLINE.pop("$defs")["Document"]
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
JOB_BODY: dict[str, Any] = {
    "required": False,
    "description": "A file as the raw body, one or several as the parts `file` of a form, or"
    " documents in JSON; nothing with `source`",
    "content": {
        "application/json": {"schema": _INLINE},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "file": {"type": "array", "items": {"type": "string", "format": "binary"}}
                },
                "required": ["file"],
                "additionalProperties": False,
            }
        },
        "application/octet-stream": _BINARY,
        **{each.media_types[0]: _BINARY for each in InputFormat if each.media_types},
    },
}
