"""The documents of a collection as data: pages of them, changes, stored vectors, statistics."""

import base64
import binascii
from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.common.documents import (
    BYTES,
    ChangedValue,
    Content,
    Document,
    FieldValue,
    Scalar,
)
from services.common.errors import InvalidRequest
from services.common.fields.types import FieldKind
from services.common.validation import first_reason
from services.common.wire.parameters import (
    CONDITIONS,
    MAX_FIELDS,
    FilterParameter,
    NamesParameter,
    Parameters,
)

MAX_PAGE = 1_000
MOST_COUNTED = 100_000
"""Documents that the statistics of a collection are counted over, at most."""


class PageOptions(Parameters):
    """The documents of a collection that a page lists."""

    limit: int = Field(default=100, ge=1, le=MAX_PAGE, description="Documents of a page")
    after: str | None = Field(
        default=None, max_length=1_000, description="`next` of the page before"
    )
    filter: FilterParameter = Field(default=None, description=CONDITIONS)
    fields: NamesParameter = Field(
        default=None,
        max_length=MAX_FIELDS,
        description="What documents carry besides the id, with commas between the names: `title`,"
        " `text`, metadata names; `id` alone lists the ids; all if left out",
    )


class ListedDocument(BaseModel):
    """A document of a list."""

    id: str
    title: str | None = Field(
        default=None, description="The title; absent if `fields` does not name it"
    )
    text: str | None = Field(
        default=None, description="The text; absent if `fields` does not name it"
    )
    fields: dict[str, FieldValue] = Field(default_factory=dict)


class DocumentPage(BaseModel):
    """A page of the documents of a collection, in the order of their ids."""

    documents: list[ListedDocument]
    next: str | None = Field(default=None, description="Pass as `after` for the next page")


def cursor_of(identity: str) -> str:
    """The cursor of the page that begins behind the document with this id."""
    return base64.urlsafe_b64encode(identity.encode()).decode().rstrip("=")


def id_behind(cursor: str) -> str:
    """The id behind which the page of a cursor begins. Raises InvalidRequest for a text that is no
    cursor."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise InvalidRequest("after: it is no cursor; pass `next` of the page before.") from error


class ExportFormat(StrEnum):
    """The form of an exported collection."""

    JSONL = "jsonl"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        """The content type of an export in this format."""
        jsonl = self is ExportFormat.JSONL
        return "application/x-ndjson" if jsonl else "application/vnd.apache.parquet"


class ExportOptions(Parameters):
    """The content of an export."""

    format: ExportFormat = ExportFormat.JSONL
    filter: FilterParameter = Field(default=None, description=CONDITIONS)
    vectors: bool = Field(
        default=False, description="Whether the export holds the stored vectors, as `vector`"
    )


class DocumentPatch(BaseModel):
    """The body of PATCH, a JSON merge patch (RFC 7396): what is named is replaced, a null removes.

    Members beside title, text, body and fields are metadata, as in PUT.
    """

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "additionalProperties": True,
            "examples": [{"fields": {"year": 2021, "draft": None}}],
        },
    )

    title: str | None = None
    text: str | None = None
    body: str | None = None
    fields: dict[str, ChangedValue] | None = Field(
        default=None, description="Metadata by name; null removes a field, others stay"
    )

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        own = {name: values[name] for name in (*BYTES, "fields") if name in values}
        beside = {name: value for name, value in values.items() if name not in own}
        if "id" in beside:
            raise ValueError("the id of a document cannot be changed; leave it out")
        if beside and isinstance(own.get("fields", {}), Mapping):
            own["fields"] = {**beside, **own.get("fields", {})}
        return own

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing is to be changed; name a title, a text, a body or fields")
        return self

    def applied(self, document: Content) -> Document:
        """The document as it is after the change. Raises InvalidRequest with the reason."""
        given = self.model_fields_set
        changed = {**document.fields, **(self.fields or {})} if "fields" in given else None
        fields = document.fields if changed is None else changed
        if "fields" in given and self.fields is None:
            fields = {}
        try:
            return Document(
                id=document.id,
                **{
                    name: (getattr(self, name) or "") if name in given else getattr(document, name)
                    for name in BYTES
                },
                fields={name: value for name, value in fields.items() if value is not None},
            )
        except ValidationError as error:
            raise InvalidRequest(first_reason(error)) from None


class StoredDocument(Content):
    """A document as it is stored, whole."""

    passage_count: int | None = Field(
        default=None, description="Of a document with a body: the passages that it is searched in"
    )


class DocumentsRead(BaseModel):
    """gateway -> indexer: asks for documents by id."""

    model_config = ConfigDict(extra="forbid")

    ids: list[str] = Field(min_length=1, max_length=MAX_PAGE)


class StoredDocuments(BaseModel):
    """The documents that were asked for and are there, in any order."""

    documents: list[Content]


class StoredVector(BaseModel):
    """The vector of a document as the index holds it."""

    id: str
    collection: str
    encoder: str = Field(description="Fingerprint of the encoder that made it")
    dimension: int
    vector: list[float] = Field(description="The vector, of length 1")


class TextStatistics(BaseModel):
    """The titles or the texts of a collection."""

    documents: int = Field(description="Documents that have one")
    mean_characters: float = Field(description="Over those that have one; 0 without any")
    most_characters: int


class ValueCount(BaseModel):
    """A value of a field and the documents that hold it."""

    value: Scalar
    documents: int


class FieldStatistics(BaseModel):
    """A metadata field over the documents that were counted."""

    name: str
    type: FieldKind | None = Field(
        default=None, description="The type that all its values have, to be declared; null for none"
    )
    documents: int = Field(description="Documents that have it")
    lists: int = Field(description="Documents in which it is a list")
    kinds: dict[str, int] = Field(
        description="Values of each kind: text, integer, decimal, boolean; a list counts by its"
        " items"
    )
    least: float | int | None = Field(default=None, description="The smallest number")
    greatest: float | int | None = Field(default=None, description="The largest number")
    distinct: int = Field(description="Different values; a lower bound unless `complete`")
    complete: bool = Field(
        description="Whether all different values were counted; if there were too many, `top` is"
        " empty"
    )
    top: list[ValueCount] = Field(description="The most frequent values, at most 10")


class CollectionStatistics(BaseModel):
    """Statistics of the documents of a collection."""

    collection: str
    index_version: str
    documents: int = Field(description="Documents of the collection")
    counted: int = Field(
        description=f"Documents that the rest is about: all, or the first {MOST_COUNTED:,} by id"
    )
    title: TextStatistics
    text: TextStatistics
    fields: list[FieldStatistics] = Field(description="The most frequent fields first")
