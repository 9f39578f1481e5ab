"""Collections and single documents, as the indexer serves them and the gateway passes them on."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.common.collection import NAME_PATTERN
from services.common.documents import ID_PATTERN, FieldValue


class CollectionCreate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME_PATTERN)


class Collection(BaseModel):
    name: str
    count: int = Field(description="Documents that can be found now")
    encoder: str = Field(description="Fingerprint of the encoder that filled it")
    dimension: int
    lexical: bool = Field(description="Whether the server can search it by words")
    index: str = Field(description="The physical collection behind the name")
    index_version: str = Field(description="Moves with each committed write")


class CollectionList(BaseModel):
    collections: list[Collection]


class DocumentBody(BaseModel):
    """The body of PUT: the id is in the path. Checked further as a Document."""

    model_config = ConfigDict(extra="forbid")

    title: str = ""
    text: str = ""
    fields: dict[str, FieldValue] = Field(default_factory=dict)


class DocumentWritten(BaseModel):
    id: str
    collection: str
    index_version: str


class DeleteRequest(BaseModel):
    """Which documents to delete: exactly one of the two."""

    model_config = ConfigDict(extra="forbid")

    ids: list[Annotated[str, Field(pattern=ID_PATTERN)]] | None = Field(
        default=None, min_length=1, max_length=10_000
    )
    filter: dict[str, object] | None = None


class DocumentsDeleted(BaseModel):
    deleted: int
    index_version: str
