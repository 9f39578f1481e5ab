"""Documents: what is indexed and found, and the one way from an input object to a document."""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SkipValidation,
    ValidationInfo,
    field_validator,
    model_validator,
)

from services.common.errors import InvalidRequest
from services.common.fields.names import RULE, is_field_name
from services.common.fields.types import FieldType, typed, weight_of
from services.common.fields.values import (
    MAX_STRING_BYTES,
    FieldValue,
    Scalar,
    checked_text,
    storable,
)
from services.common.paths import DOT_SEGMENTS

__all__ = [
    "Content",
    "Document",
    "DocumentId",
    "FieldValue",
    "Scalar",
    "gathered",
    "has_body",
    "lead",
    "lexical_source",
    "long_part",
    "repeated_sources",
]

MAX_ID_BYTES = 512
_ID_PATTERN = r"[^\x00-\x1f]*[^\x00-\x1f\s\x85][^\x00-\x1f]*$"
STORED_ID_PATTERN = f"^{_ID_PATTERN}"
"""Pattern of every stored id: it is not blank and holds no control characters, which an expression
of Milvus cannot name."""
MAX_TITLE_BYTES = 4_096
MAX_TEXT_BYTES = 60_000
"""Limit of a text in bytes of UTF-8. It is below Milvus's 65,535 bytes for a VARCHAR, so that a row
always fits."""
MAX_BODY_BYTES = 5_000_000
"""Limit of a body in bytes of UTF-8. It is stored as passages, whose number nothing limits."""
BYTES = {"title": MAX_TITLE_BYTES, "text": MAX_TEXT_BYTES, "body": MAX_BODY_BYTES}
"""The members that hold text, each with its limit in bytes of UTF-8."""
SHOWN = ("title", "text")
"""The members with text that answers and lists carry; a body is read document by document."""
OWN = ("id", *BYTES)
"""Names of all members of a document except the metadata."""
PASSAGE_COUNT = "passage_count"
"""The member that an answer has beside those of a document. An object that comes in may hold it, so
that what was read can be written back; it is not stored."""
LONG_TEXT_BYTES = 2_400
"""A longer text is searched in passages as a body is. Nearly all abstracts are shorter: the longest
of the sample's thousand has 2,382 bytes."""
_LEAD_CHARS = 4_000
"""Characters of a body's beginning that an encoder may read; no model reads more."""
MAX_FIELDS = 64
MAX_FIELDS_BYTES = 60_000
"""Limit of all metadata of a document as JSON; Milvus takes 65,536 bytes in a JSON column."""

StoredValue = Annotated[FieldValue, SkipValidation, BeforeValidator(storable)]
"""A value of the metadata, checked by `storable` and not converted by pydantic."""


def _storable_or_null(value: object) -> FieldValue | None:
    return None if value is None else storable(value)


ChangedValue = Annotated[FieldValue | None, SkipValidation, BeforeValidator(_storable_or_null)]
"""As StoredValue, or null for a value that is to be removed."""


def _fits(value: str, limit: int, what: str) -> str:
    try:
        return checked_text(value, limit)
    except ValueError as error:
        raise ValueError(f"{what} {error}") from None


def check_id(value: str) -> str:
    """The id, if a document may have it. Raises ValueError with the reason if not.

    Any UTF-8 text of 1 to 512 bytes is an id, slashes and percent signs included, except blank
    text, text with control characters, and `.` and `..`, which no HTTP path can name.
    """
    if value in DOT_SEGMENTS:
        raise ValueError(f"id {value!r} cannot be part of an address; take another")
    if value and not re.fullmatch(STORED_ID_PATTERN, value):
        raise ValueError("id is blank or holds control characters")
    return _fits(value, MAX_ID_BYTES, "id")


def _is_text(value: object) -> object:
    """The value, if it is a text. Raises ValueError with what to send instead."""
    if isinstance(value, float):
        raise ValueError("is a decimal number; send a text or an integer")
    if not isinstance(value, str):
        raise ValueError("is no text and no integer")
    return value


DocumentId = Annotated[
    str,
    Field(
        min_length=1,
        description="Unique in its collection: 1 to 512 bytes of UTF-8 text that is not blank,"
        " without control characters, and neither `.` nor `..`",
        json_schema_extra={
            "pattern": rf"^(?!\.{{1,2}}$){_ID_PATTERN}",
            "maxLength": MAX_ID_BYTES,
        },
    ),
    AfterValidator(check_id),
    BeforeValidator(_is_text),
]
"""The id of a document, checked in the same way wherever one comes in."""


def gathered(
    values: Mapping[str, Any],
    *,
    names: Mapping[str, str] | None = None,
    without: Collection[str] = (),
    columns: bool = False,
) -> dict[str, Any]:
    """The members of a Document, from those of an input object; every way in uses this function.

    `names` gives the member of the input that holds a member of OWN under another name. An integer
    id becomes its digits. All other members except those in `without` are metadata; the members of
    an object `fields` are metadata too and win over others of the same name. A null counts as
    absent. With `columns` the input is a row of a table, where a column `fields` that holds no
    objects is like any other.
    """
    names = dict(zip(OWN, OWN, strict=True)) | dict(names or {})
    ignored = () if columns else (PASSAGE_COUNT,)
    own, nested = {*names.values(), *without, *ignored}, values.get("fields")
    merged = isinstance(nested, Mapping) or not columns
    fields = {
        name: value
        for name, value in values.items()
        if name not in own and not (merged and name == "fields")
    }
    members: dict[str, Any] = {name: values.get(named) for name, named in names.items()}
    members["id"] = id_of(members["id"])
    if isinstance(nested, Mapping):
        members["fields"] = _present({**fields, **nested})
    elif nested is not None and merged:
        members["fields"] = nested  # The Document refuses metadata that are no object.
    else:
        members["fields"] = _present(fields)
    return _present(members)


def id_of(value: object) -> object:
    """The digits of an integer, which is an id written as a number; any other value as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def described_input(schema: dict[str, Any]) -> None:
    """Adds to a JSON schema the limits, and what `gathered` takes beside the model's members."""
    members = schema["properties"]
    if schema["title"] == "Document":
        members["id"] = {"anyOf": [members["id"], {"type": "integer"}]}
    for name, limit in BYTES.items():
        bounded = {"maxLength": limit, "description": f"At most {limit:,} bytes of UTF-8"}
        members[name] = _or_null(members[name] | bounded)
    values = members["fields"]
    values["description"] = (
        f"Metadata: at most {MAX_FIELDS} names, {MAX_FIELDS_BYTES:,} bytes as JSON, and"
        f" {MAX_STRING_BYTES:,} bytes of a text; a null counts as absent"
    )
    values["additionalProperties"] = _or_null(values["additionalProperties"])
    members["fields"] = _or_null(values)
    schema["additionalProperties"] = True


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


class Content(BaseModel):
    """The members of a document, as every stage of indexing and searching carries them.

    A stored document is not checked again: an earlier version may have had other rules.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    title: str = ""
    text: str = ""
    """The abstract, or the whole of a short document. Without a body, a text of more than
    LONG_TEXT_BYTES is searched in passages too."""
    body: str = ""
    """The full text of a long document, which is searched in passages."""
    fields: dict[str, FieldValue] = Field(default_factory=dict)
    """The metadata, which filters use."""


class Document(Content):
    """A document on its way in, checked. It needs a title, a text or a body; members beside those
    of `Content` become metadata as in `gathered`."""

    model_config = ConfigDict(json_schema_extra=described_input)

    id: DocumentId
    fields: dict[str, StoredValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, values: object) -> object:
        return gathered(values) if isinstance(values, Mapping) else values

    @field_validator(*BYTES)
    @classmethod
    def _text_fits(cls, value: str, about: ValidationInfo) -> str:
        name = str(about.field_name)
        return _fits(value, BYTES[name], name)

    @field_validator("fields")
    @classmethod
    def _fields_fit(cls, value: dict[str, FieldValue]) -> dict[str, FieldValue]:
        return checked_fields(value)

    @model_validator(mode="after")
    def _has_content(self) -> "Document":
        if not any(getattr(self, name).strip() for name in BYTES):
            raise ValueError("a title, a text or a body is needed")
        return self


def checked_fields(fields: dict[str, FieldValue]) -> dict[str, FieldValue]:
    """Metadata whose values are storable. Raises ValueError when there are too many of them."""
    if len(fields) > MAX_FIELDS:
        raise ValueError(f"{len(fields)} fields, at most {MAX_FIELDS} are possible")
    for name in fields:
        if not is_field_name(name):
            raise ValueError(f"{name[:80]!r} cannot be the name of a field: {RULE}")
    size = len(json.dumps(fields, ensure_ascii=False).encode())
    if size > MAX_FIELDS_BYTES:
        raise ValueError(f"have {size:,} bytes together, at most {MAX_FIELDS_BYTES:,} are possible")
    return fields


def typed_document(document: Content, types: Mapping[str, FieldType]) -> Content:
    """The document with the values of declared fields in the form of their types.

    Raises InvalidRequest.
    """
    try:
        fields = typed(document.fields, types)
    except ValueError as error:
        raise InvalidRequest(f"fields: {error}.") from None
    return document if fields == document.fields else document.model_copy(update={"fields": fields})


def text_id(text: str) -> str:
    """The id of a document that is nothing but a text; equal texts have equal ids."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def lead(document: Content) -> str:
    """The part of a document that a model reads beside its title: the text, or else the beginning
    of the body."""
    return document.text if document.text.strip() else document.body[:_LEAD_CHARS].lstrip()


def has_body(document: Content) -> bool:
    """Whether a document has a body that is not blank."""
    return bool(document.body.strip())


def long_part(document: Content) -> str:
    """The part of a document that is searched in passages: the body, or else a long text; empty if
    there is neither."""
    if has_body(document):
        return document.body
    return document.text if len(document.text.encode()) > LONG_TEXT_BYTES else ""


def lexical_source(document: Content, types: Mapping[str, FieldType] | None = None) -> str:
    """The text whose words the lexical leg indexes first: title, text and every string field, each
    once, without those that have the weight 0."""
    return "\n".join(text for text, times in _weighed(document, types) if times)


def repeated_sources(
    document: Content, types: Mapping[str, FieldType]
) -> Iterator[tuple[str, int]]:
    """The parts of the lexical source that count more than once, with the number of times more."""
    return ((text, times - 1) for text, times in _weighed(document, types) if times > 1)


def _weighed(document: Content, types: Mapping[str, FieldType] | None) -> Iterator[tuple[str, int]]:
    members = {"title": document.title, "text": document.text}
    for name, value in [*members.items(), *document.fields.items()]:
        times = weight_of(name, types)
        items = value if isinstance(value, list) else [value]
        yield from ((item, times) for item in items if isinstance(item, str) and item)
