"""Rows in the form of Milvus, and expressions over ids."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from services.common.collection import Field, content_fields, content_of, content_values
from services.common.fields.columns import typed_columns, typed_values
from services.common.filters import facets
from services.indexer.rows import Row

_IDS = 500
"""Most ids of one expression."""


def row_fields(layout: int, *, vectors: bool = True) -> list[Field]:
    """The columns that are read back from a collection; facets and words are computed again."""
    return [*content_fields(layout), Field.VERSION, *([Field.VECTOR] if vectors else [])]


def entity(row: Row, version: int, columns: Collection[str]) -> dict[str, Any]:
    """The form of a row that a collection with these columns takes."""
    values: dict[str, Any] = {
        **content_values(row.document),
        Field.FACETS: facets(row.document.fields),
        Field.VECTOR: row.vector,
        Field.VERSION: version if row.version is None else row.version,
    }
    if Field.WORDS in columns:
        values[Field.WORDS] = row.words
    values |= typed_values(row.document.fields, typed_columns(columns))
    return {str(name): value for name, value in values.items()}


def row_of(entity: dict[str, Any]) -> Row:
    """The row that Milvus gave with the columns of `row_fields`; its vector is empty if none was
    asked for."""
    return Row(
        content_of(entity),
        words="",
        vector=np.asarray(entity.get(Field.VECTOR, ()), dtype=np.float32),
        version=int(entity[Field.VERSION]),
    )


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids in runs that fit into one expression."""
    for start in range(0, len(ids), _IDS):
        yield ids[start : start + _IDS]
