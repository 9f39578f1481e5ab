"""Passages in the form of Milvus."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from services.common.collection import OF_TEXT, Field, PassageField, PassageKey, stored_id
from services.common.documents import has_body, long_part
from services.common.fields.columns import typed_columns, typed_values
from services.common.filters import facets
from services.common.text.passages import Span
from services.indexer.passages import Passages
from services.indexer.rows import Row


def passage_entities(row: Row, version: int, columns: Collection[str]) -> list[dict[str, Any]]:
    """The passages of a row in the form that a collection with these columns takes, the first one
    first."""
    several = row.passages
    if several is None:
        return []
    document, written = row.document, version if row.version is None else row.version
    whole, of_text = long_part(document), not has_body(document)
    marks, typed = facets(document.fields), typed_values(document.fields, typed_columns(columns))
    entities: list[dict[Any, Any]] = [
        {
            Field.ID: str(PassageKey(row.id, written, number)),
            PassageField.DOCUMENT: stored_id(row.id),
            PassageField.NUMBER: number,
            PassageField.COUNT: len(several),
            Field.TEXT: whole[span.start : span.end],
            PassageField.START: span.start,
            PassageField.PAGE: OF_TEXT if of_text else span.page or 0,
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
    """A row with the passages that Milvus gave for it, in any order, and with its body if they are
    of one."""
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
        page = int(one[PassageField.PAGE])
        spans.append(Span(start, length, page if page > 0 else None, one[PassageField.SECTION]))
    vectors = np.array([one.get(Field.VECTOR, ()) for one in stored], dtype=np.float32)
    document = row.document
    if stored[0][PassageField.PAGE] != OF_TEXT:
        document = document.model_copy(update={"body": "".join(pieces)})
    return replace(row, document=document, passages=Passages(spans, [], vectors))
