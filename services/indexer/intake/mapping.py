"""From a record's columns to a document."""

from typing import Any

import numpy as np
from pydantic import ValidationError

from services.common.documents import Document
from services.indexer.jobs.manifest import FieldMapping
from services.indexer.rows import Vector


class Rejected(Exception):
    """The record is no document; the message is the reason, for the user."""


class DocumentMapper:
    """Applies a mapping. With `typed` off (CSV, TSV) numbers in fields are read from text."""

    def __init__(self, mapping: FieldMapping, *, typed: bool) -> None:
        self._mapping = mapping
        self._typed = typed
        self._reserved = {mapping.id, mapping.title, mapping.text, mapping.vector}

    def document(self, values: dict[str, Any]) -> Document:
        """Raises Rejected."""
        mapping = self._mapping
        if values.get(mapping.id) in (None, ""):
            raise Rejected(f"has no id (`{mapping.id}`)")
        identity = values[mapping.id]
        if isinstance(identity, int) and not isinstance(identity, bool):
            identity = str(identity)
        try:
            return Document(
                id=identity,
                title=_text(values, mapping.title),
                text=_text(values, mapping.text),
                fields=self._fields(values),
            )
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in first["loc"][:2])
            reason = first["msg"].removeprefix("Value error, ")
            raise Rejected(f"{where}: {reason}" if where else reason) from None

    def vector(self, values: dict[str, Any], dimension: int) -> Vector | None:
        """The ready-made vector of a record, if the mapping names one. Raises Rejected."""
        if self._mapping.vector is None:
            return None
        return checked_vector(values.get(self._mapping.vector), dimension)

    def _fields(self, values: dict[str, Any]) -> dict[str, Any]:
        """The named columns, or all others; a `fields` object is merged, not nested."""
        nested = values.get("fields")
        wanted = self._mapping.fields
        fields: dict[str, Any] = {}
        for name, value in values.items():
            if name in self._reserved or (name == "fields" and isinstance(nested, dict)):
                continue
            fields[name] = value
        if isinstance(nested, dict):
            fields.update(nested)
        if wanted is not None:
            named = wanted if isinstance(wanted, dict) else dict(zip(wanted, wanted, strict=True))
            fields = {name: fields[column] for name, column in named.items() if column in fields}
        return {
            name: value if self._typed else _number_or_text(value)
            for name, value in fields.items()
            if value is not None
        }


def checked_vector(value: Any, dimension: int) -> Vector:
    """float32 [dimension], finite and of length 1, as the encoder's own are. Raises Rejected."""
    try:
        vector = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise Rejected("has a vector that is no list of numbers") from None
    if vector.shape != (dimension,):
        raise Rejected(f"has a vector of shape {vector.shape}, the encoder's have ({dimension},)")
    length = float(np.linalg.norm(vector))
    if not 0.98 <= length <= 1.02:
        raise Rejected(f"has a vector of length {length:.3g}; normalise vectors to length 1")
    return vector


def _text(values: dict[str, Any], column: str) -> Any:
    value = values.get(column)
    return "" if value is None else value


def _number_or_text(value: Any) -> Any:
    """A cell that is written as a number is one: 2015, -1.5; 007 and 1e5 stay text."""
    if not isinstance(value, str) or len(value) > 18:
        return value
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        if str(number) == value and value not in ("nan", "inf", "-inf"):
            return number
    return value
