"""Documents: what is indexed and found."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MAX_ID_BYTES = 512
ID_PATTERN = r"^[^\x00-\x1f]*[^\x00-\x1f\s][^\x00-\x1f]*$"
"""Of an id: not blank, and no control characters, which an expression of Milvus cannot name."""
MAX_TITLE_BYTES = 4_096
MAX_TEXT_BYTES = 60_000
"""Below Milvus's 65,535 bytes for a VARCHAR, so that a row always fits."""
MAX_FIELDS = 64

Scalar = str | int | float | bool
FieldValue = Scalar | list[str] | list[int] | list[float]

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def _fits(value: str, limit: int, what: str) -> str:
    size = len(value.encode("utf-8", "surrogatepass"))
    if size > limit:
        raise ValueError(f"{what} has {size:,} bytes, at most {limit:,} are possible")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{what} holds half a character (a lone surrogate)") from error
    if "\x00" in value:
        raise ValueError(f"{what} holds a NUL character")
    return value


class Document(BaseModel):
    """One document. `fields` are the metadata that filters use; a title or a text is needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1, description="Unique in its collection")]
    title: str = ""
    text: str = ""
    fields: dict[str, FieldValue] = Field(default_factory=dict)

    @field_validator("id")
    @classmethod
    def _id_fits(cls, value: str) -> str:
        if not re.fullmatch(ID_PATTERN, value):
            raise ValueError("id is blank or holds control characters")
        return _fits(value, MAX_ID_BYTES, "id")

    @field_validator("title")
    @classmethod
    def _title_fits(cls, value: str) -> str:
        return _fits(value, MAX_TITLE_BYTES, "title")

    @field_validator("text")
    @classmethod
    def _text_fits(cls, value: str) -> str:
        return _fits(value, MAX_TEXT_BYTES, "text")

    @field_validator("fields")
    @classmethod
    def _fields_fit(cls, value: dict[str, FieldValue]) -> dict[str, FieldValue]:
        if len(value) > MAX_FIELDS:
            raise ValueError(f"{len(value)} fields, at most {MAX_FIELDS} are possible")
        for name, item in value.items():
            if not _FIELD_NAME.fullmatch(name):
                raise ValueError(f"field name {name[:80]!r} must match {_FIELD_NAME.pattern}")
            for part in item if isinstance(item, list) else [item]:
                if isinstance(part, str):
                    _fits(part, MAX_TITLE_BYTES, f"field {name}")
        return value

    @model_validator(mode="after")
    def _has_content(self) -> "Document":
        if not self.title.strip() and not self.text.strip():
            raise ValueError("a title or a text is needed")
        return self


def lexical_source(document: Document) -> str:
    """The text whose words the lexical leg indexes: title, text and every string field."""
    parts = [document.title, document.text]
    for value in document.fields.values():
        items = value if isinstance(value, list) else [value]
        parts.extend(item for item in items if isinstance(item, str))
    return "\n".join(part for part in parts if part)
