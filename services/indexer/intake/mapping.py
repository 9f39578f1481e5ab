"""Makes documents of the columns of records."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from services.common.documents import OWN, Document, gathered
from services.common.validation import first_reason
from services.indexer.intake.columns import SEMICOLONS, ColumnKinds
from services.indexer.rows import Vector


class FieldMapping(BaseModel):
    """The columns or keys of an input that hold the id, title, text, body, fields and vector of a
    document."""

    # An unknown name is an error: a misspelt one would lose a column in silence.
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = "id"
    title: str = "title"
    text: str = "text"
    body: str = "body"
    fields: list[str] | dict[str, str] | None = Field(
        default=None,
        description="The metadata to take, or {name of the field: column}; without it, all others",
    )
    vector: str | None = Field(default=None, description="Ready-made vectors, if any")
    types: dict[str, Literal["text", "number"]] | None = Field(
        default=None,
        description="For CSV and TSV: the columns whose kind is not to be read from their values",
    )
    lists: list[str] | dict[str, str] | None = Field(
        default=None,
        description="The columns whose cells hold lists, split at ; and ；, or {column: signs};"
        " without it, those of authors and keywords if they hold semicolons",
    )

    @model_validator(mode="before")
    @classmethod
    def _body_elsewhere(cls, given: Any) -> Any:
        """The given mapping, without bodies if it names the column `body` as something else."""
        if not isinstance(given, Mapping) or "body" in given:
            return given
        fields = given.get("fields")
        taken = fields.values() if isinstance(fields, Mapping) else fields
        columns = [*given.values(), *(taken if isinstance(taken, Iterable) else ())]
        return {**given, "body": ""} if "body" in columns else given

    @model_serializer(mode="wrap")
    def _as_given(self, dumped: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Only the members that were named: for the others, columns of usual names are looked for
        in each file, also after the mapping was stored with its job."""
        members: dict[str, Any] = dumped(self)
        return {name: members[name] for name in members if name in self.model_fields_set}

    def signs(self) -> dict[str, str] | None:
        """The signs between the items of lists, by column; None if the mapping does not say."""
        if isinstance(self.lists, list):
            return dict.fromkeys(self.lists, SEMICOLONS)
        return self.lists

    def columns(self) -> list[str]:
        """The columns from which the named fields come."""
        return list(self.fields.values() if isinstance(self.fields, dict) else self.fields or [])

    def named(self) -> dict[str, str] | None:
        """Columns by the name of the field; None if all other columns are fields."""
        if self.fields is None or isinstance(self.fields, dict):
            return self.fields
        return dict(zip(self.fields, self.fields, strict=True))

    def own(self) -> dict[str, str]:
        """Columns by the name of the document's member."""
        return {name: getattr(self, name) for name in OWN}

    def content(self) -> list[str]:
        """The columns of which a document needs one: those of title, text and body."""
        return [name for name in (self.title, self.text, self.body) if name]

    def named_otherwise(self) -> dict[str, str]:
        """The members of `own` whose columns have other names."""
        return {name: column for name, column in self.own().items() if column not in (name, "")}

    def taken(self) -> set[str] | None:
        """The columns that documents are made of; None for all. A column `fields` of objects holds
        further columns."""
        return None if self.fields is None else {*self.reserved(), *self.columns(), "fields"}

    def reserved(self) -> set[str]:
        """The columns whose values are no metadata: those of a document's own members and of its
        vector."""
        return {*self.own().values(), *([self.vector] if self.vector else [])}


class Rejected(Exception):
    """A record that is no document; the message gives the user the reason."""


class DocumentMapper:
    """Applies a mapping to records.

    With `kinds` (CSV and TSV), numbers of the metadata are read from text. Records that are
    `entries` of citations keep what is taken as their id, a DOI, among the metadata, and lose the
    id that they state in place of it.
    """

    def __init__(
        self,
        mapping: FieldMapping,
        *,
        columns: bool = False,
        kinds: ColumnKinds | None = None,
        entries: bool = False,
    ) -> None:
        self._mapping = mapping
        self._columns = columns
        self._kinds = kinds
        self._named = mapping.named()
        self._no_id = f"has no id (`{mapping.id}`)"
        if entries and mapping.id == "id":
            self._no_id = "has no title, no DOI and no id of its own"
        own = set(mapping.own().values())
        replaced = entries and mapping.id != "id"
        self._both = own & {*mapping.columns(), *([mapping.id] if replaced else [])}
        """The columns of a document's own members that are metadata as well."""
        self._without = {*([mapping.vector] if mapping.vector else []), *(["id"] * replaced)}

    def document(self, values: Mapping[str, Any]) -> Document:
        """The document of a record. Raises Rejected."""
        mapping = self._mapping
        if values.get(mapping.id) in (None, ""):
            raise Rejected(self._no_id)
        members = gathered(
            values,
            names=mapping.own(),
            without=self._without,
            columns=self._columns,
        )
        if isinstance(fields := members.get("fields"), dict):
            both = {name: values[name] for name in self._both if values.get(name) is not None}
            members["fields"] = self._fields({**fields, **both})
        try:
            return Document.model_validate(members)
        except ValidationError as error:
            raise Rejected(first_reason(error)) from None

    def vector(self, values: Mapping[str, Any], dimension: int) -> Vector | None:
        """The ready-made vector of a record, if the mapping names one. Raises Rejected."""
        column = self._mapping.vector
        if column is None:
            return None
        if values.get(column) is None:
            raise Rejected(f"has no vector (`{column}`)")
        return checked_vector(values[column], dimension)

    def _fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The metadata by name, with numbers in place of texts that are numbers. Raises
        Rejected."""
        if self._kinds is not None:
            try:
                fields = {name: self._kinds.value(name, cell) for name, cell in fields.items()}
            except ValueError as error:
                raise Rejected(str(error)) from None
        if self._named is None:
            return fields
        return {name: fields[column] for name, column in self._named.items() if column in fields}


def checked_vector(value: Any, dimension: int) -> Vector:
    """The vector as float32 [dimension], if it is finite and of about length 1, as those of the
    encoder are; it is brought to that length exactly, so that scores are cosines.

    Raises Rejected."""
    try:
        vector = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        raise Rejected("has a vector that is no list of numbers") from None
    if vector.shape != (dimension,):
        raise Rejected(f"has a vector of shape {vector.shape}, the encoder's have ({dimension},)")
    length = float(np.linalg.norm(vector))
    if not 0.98 <= length <= 1.02:
        raise Rejected(f"has a vector of length {length:.3g}; normalise vectors to length 1")
    return vector / np.float32(length)
