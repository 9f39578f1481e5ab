"""Passages in the form of Milvus."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from services.common.collection import Field, PassageField, PassageKey, stored_id
from services.common.filters import facets
from services.common.text.passages import Span
from services.common.typed_columns import typed_columns, typed_values
from services.indexer.passages import Passages
from services.indexer.rows import Row


def passage_entities(row: Row, version: int, columns: Collection[str]) -> list[dict[str, Any]]:
    """The passages of a row in the form that a collection with these columns takes, the first one
    first."""
    several = row.passages
    if several is None:
        return []
    document, written = row.document, version if row.version is None else row.version
    marks, typed = facets(document.fields), typed_values(document.fields, typed_columns(columns))
    entities: list[dict[Any, Any]] = [
        {
            Field.ID: str(PassageKey(row.id, written, number)),
            PassageField.DOCUMENT: stored_id(row.id),
            PassageField.NUMBER: number,
            PassageField.COUNT: len(several),
            Field.TEXT: document.body[span.start : span.end],
            PassageField.START: span.start,
            PassageField.PAGE: span.page or 0,
            PassageField.SECTION: span.section,
            Field.FIELDS: document.fields,
            Field.FACETS: marks,
            Field.VECTOR: vector,
            **({Field.WORDS: words} if Field.WORDS in columns else {}),
            **typed,
        }
        for number, (span, words, vector) in enumerate(
            zip(several.spans, several.words, several.vectors, strict=True)
        )
    ]
    return [{str(name): value for name, value in entity.items()} for entity in entities]


def with_body(row: Row, stored: list[dict[str, Any]]) -> Row:
    """A row with the body and the passages that Milvus gave for it, in any order."""
    if not stored:
        return row
    stored.sort(key=lambda one: PassageKey.parse(one[Field.ID]).number)
    spans: list[Span] = []
    pieces: list[str] = []
    length = 0
    for one in stored:
        start, text = int(one[PassageField.START]), one[Field.TEXT]
        pieces.append(text[length - start :])
        length = start + len(text)
        page = int(one[PassageField.PAGE]) or None
        spans.append(Span(start, length, page, one[PassageField.SECTION]))
    vectors = np.array([one.get(Field.VECTOR, ()) for one in stored], dtype=np.float32)
    return replace(
        row,
        document=row.document.model_copy(update={"body": "".join(pieces)}),
        passages=Passages(spans, [], vectors),
    )
