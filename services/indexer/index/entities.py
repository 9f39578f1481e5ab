"""Rows as Milvus takes and gives them, and expressions over ids."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from services.common.collection import Field
from services.indexer.rows import Row

ROW_FIELDS = (Field.ID, Field.TITLE, Field.TEXT, Field.FIELDS, Field.VERSION)
_IDS = 500
"""Ids in one expression."""


def entity(row: Row, version: int, lexical: bool) -> dict[str, Any]:
    values: dict[str, Any] = {
        Field.ID: row.id,
        Field.TITLE: row.title,
        Field.TEXT: row.text,
        Field.FIELDS: row.fields,
        Field.VECTOR: row.vector,
        Field.VERSION: version if row.version is None else row.version,
    }
    if lexical:
        values[Field.WORDS] = row.words
    return {str(name): value for name, value in values.items()}


def row_of(found: dict[str, Any]) -> Row:
    fields = found[Field.FIELDS]
    return Row(
        id=found[Field.ID],
        title=found[Field.TITLE],
        text=found[Field.TEXT],
        fields=json.loads(fields) if isinstance(fields, (str, bytes)) else dict(fields or {}),
        words="",
        vector=np.asarray(found[Field.VECTOR], dtype=np.float32),
        version=int(found[Field.VERSION]),
    )


def among(ids: Sequence[str]) -> str:
    return f"{Field.ID} in {json.dumps(list(ids), ensure_ascii=False)}"


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IDS):
        yield ids[start : start + _IDS]
