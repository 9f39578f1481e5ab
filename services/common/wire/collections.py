"""Collections and single documents, as the indexer serves them and the gateway passes them on."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.common.collection import NAME_PATTERN
from services.common.documents import (
    STORED_ID_PATTERN,
    Content,
    Document,
    StoredValue,
    described_input,
    gathered,
)
from services.common.errors import InvalidRequest
from services.common.fields.types import FieldType, FieldTypes
from services.common.validation import first_reason
from services.common.wire.parameters import CONDITIONS, Conditions, FieldName

_ENCODER = (
    "Fingerprint of the encoder that fills it, one of those that the operator installed; without"
    " it the one that the collection named before, or the installation's default"
)


class CollectionCreate(BaseModel):
    """The body of a request that makes an empty collection."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME_PATTERN)
    encoder: str | None = Field(default=None, max_length=64, description=_ENCODER)
    fields: FieldTypes = Field(default_factory=dict)
    partition_key: FieldName | None = Field(
        default=None,
        description="Keyword field by whose values a Milvus server divides the collection into"
        " partitions, such as `tenant`; a search in one partition leaves the others out",
        examples=["tenant"],
    )


class DeclaredFields(BaseModel):
    """The types of the metadata fields of a collection."""

    model_config = ConfigDict(extra="forbid")

    fields: FieldTypes


class RebuildOptions(BaseModel):
    """The query parameters of a rebuild of a collection from its own documents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str | None = Field(default=None, max_length=64, description=_ENCODER)
    force: bool = Field(
        default=False,
        description="Whether the new index answers even if it answers golden queries worse, or"
        " lacks documents that could not be indexed anew",
    )

    def params(self) -> dict[str, str]:
        """The options that are set, as query parameters."""
        given = {} if self.encoder is None else {"encoder": self.encoder}
        return given | ({"force": "true"} if self.force else {})


class Collection(BaseModel):
    """A collection as it is reported."""

    name: str
    count: int = Field(description="Number of documents that can be found now")
    encoder: str = Field(description="Fingerprint of the encoder that filled it")
    dimension: int
    lexical: bool = Field(description="Whether the server can search it by words")
    index: str = Field(description="Name of the physical collection")
    index_version: str = Field(description="Index version, which changes with each committed write")
    fields: dict[str, FieldType] = Field(
        default_factory=dict, description="Declared types by the name of the field"
    )
    waiting_fields: list[str] = Field(
        default_factory=list,
        description="Declared fields that filters find without a column of their own until the next"
        " rebuild",
    )
    partition_key: str | None = Field(
        default=None, description="Field that names the partition of a document, if there is one"
    )
    problem: str = Field(
        default="",
        description="What is stored of the collection and cannot be read, and what to do; then its"
        " fields and its partition key are not known. Empty if nothing is wrong",
    )


class CollectionList(BaseModel):
    """All collections that the caller may see."""

    collections: list[Collection]


class DocumentBody(Content):
    """The body of PUT. Members beside those of a document are metadata, as in a bulk job."""

    model_config = ConfigDict(json_schema_extra=described_input)

    id: str | None = Field(  # type: ignore[assignment]  # the path has it
        default=None, description="May repeat the id of the path; another id is refused"
    )
    fields: dict[str, StoredValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, values: object) -> object:
        return gathered(values) if isinstance(values, Mapping) else values

    def document(self, document_id: str) -> Document:
        """The document that is put under an id. Raises InvalidRequest with the reason."""
        if self.id not in (None, document_id):
            raise InvalidRequest(
                f"The body has the id {self.id!r} and the path {document_id!r}; leave it out of the"
                " body."
            )
        try:
            return Document.model_validate(self.model_dump() | {"id": document_id})
        except ValidationError as error:
            raise InvalidRequest(first_reason(error)) from None


class DocumentWritten(BaseModel):
    """The answer to a document that was put."""

    id: str
    collection: str
    index_version: str


StoredId = Annotated[str, Field(pattern=STORED_ID_PATTERN)]
"""An id of a document to delete. It may be one that is no longer accepted, such as `..`, since an
earlier version may have stored it."""


class DeleteRequest(BaseModel):
    """The documents to delete, named either by ids or by a filter."""

    model_config = ConfigDict(extra="forbid")

    ids: list[StoredId] | None = Field(default=None, min_length=1, max_length=10_000)
    filter: Conditions | None = Field(default=None, description=CONDITIONS)


class DocumentsDeleted(BaseModel):
    """The number of documents that a call deleted."""

    deleted: int
    index_version: str
