"""The members of a document on their whole way: one list of them, no copy that could differ."""

import json

import numpy as np
import pyarrow as pa

from services.common.collection import CONTENT, LAYOUT, Field, content_fields, content_of
from services.common.documents import BYTES, OWN, SHOWN, Content, Document
from services.common.wire.collections import DocumentBody
from services.common.wire.contents import DocumentPatch, ListedDocument
from services.gateway.search.answer_schemas import Hit
from services.indexer.index.milvus.entities import entity, row_fields, row_of
from services.indexer.index.milvus.schema import collection_schema
from services.indexer.intake.mapping import DocumentMapper, FieldMapping
from services.indexer.passages import cut
from services.indexer.rows import PlannedDocument, Row
from services.indexer.tables import (
    pack_encoded,
    pack_planned,
    pack_rows,
    unpack_encoded,
    unpack_planned,
    unpack_rows,
)
from tests.analyzers import ANALYZER
from xunwen.client import answers

VECTOR = np.array([0.6, 0.8], dtype=np.float32)


def full() -> Document:
    """A document that has a value for each member."""
    return Document.model_validate(
        {name: f"{name} 的'值\"" for name in OWN} | {"fields": {"year": 2015}}
    )


def test_each_member_has_a_limit_a_column_and_a_place_in_every_answer() -> None:
    members = list(Content.model_fields)
    assert members == [*OWN, "fields"] == ["id", *BYTES, "fields"]
    assert [column.field for column in CONTENT] == [name for name in members if name != "body"]
    for model in (Document, DocumentBody, DocumentPatch, FieldMapping):
        assert set(members) - {"id"} <= set(model.model_fields), model
    for answer in (Hit, answers.Hit, ListedDocument):
        assert {"id", *SHOWN, "fields"} <= set(answer.model_fields), answer


def test_a_document_comes_out_of_parts_rows_and_the_index_as_it_went_in() -> None:
    document = full()
    planned = unpack_planned(pack_planned([PlannedDocument(7, document)]), 0, 1)
    assert planned[0].document.model_dump() == document.model_dump()
    row = unpack_rows(pack_rows([Row(document, "词", VECTOR, 3)]))[0]
    assert row.document.model_dump() == document.model_dump()
    assert (row.words, row.version) == ("词", 3)
    there = row_of(entity(row, 5, {Field.WORDS}))
    assert there.document.model_dump() == document.model_dump() | {"body": ""}


def test_passages_travel_with_their_documents_and_the_vectors_of_each_encoder() -> None:
    long = Document(id="l", title="题", body="# 引言\n" + "很长的文献。" * 200 + "\f结论。")
    parts = cut(long, ANALYZER)
    rows = {}
    for number, encoder in enumerate(("e1", "e2")):
        vectors = [np.full(2, number + place, np.float32) for place in range(len(parts.spans))]
        rows[encoder] = [
            Row(full(), "词", VECTOR),
            Row(long, "词", VECTOR, passages=parts.encoded(vectors)),
        ]
    read = unpack_encoded(pack_encoded(rows))
    for encoder, sent in rows.items():
        short, whole = read[encoder]
        assert short.passages is None
        assert whole.passages is not None
        assert sent[1].passages is not None
        assert whole.passages.spans == sent[1].passages.spans
        assert whole.passages.words == sent[1].passages.words
        np.testing.assert_array_equal(whole.passages.vectors, sent[1].passages.vectors)
        assert "".join(long.body[one.start : one.end] for one in whole.passages.spans)


def test_the_mapping_takes_each_member_from_the_column_that_it_names() -> None:
    document = full()
    columns = {name: f"column_of_{name}" for name in OWN}
    values = {columns[name]: getattr(document, name) for name in OWN} | dict(document.fields)
    mapped = DocumentMapper(FieldMapping.model_validate(columns)).document(values)
    assert mapped.model_dump() == document.model_dump()


def test_what_an_earlier_version_wrote_lacks_a_later_member_and_is_read() -> None:
    columns = {"id": pa.array(["d"]), "title": pa.array(["题"]), "fields": pa.array(["{}"])}
    columns |= {"words": pa.array(["题"]), "version": pa.array([1])}
    columns |= {"vector": pa.FixedSizeListArray.from_arrays(pa.array(VECTOR), 2)}
    sink = pa.BufferOutputStream()
    table = pa.table(columns)
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    part = unpack_rows(sink.getvalue().to_pybytes())[0]
    assert part.document == Content(id="d", title="题")
    stored = content_of({Field.ID: "d", Field.FIELDS: json.dumps({"year": 1})})
    assert stored == Content(id="d", fields={"year": 1})


def test_each_layout_is_asked_for_the_columns_that_it_has() -> None:
    schema = {field.name for field in collection_schema(2, lexical=True).fields}
    assert set(row_fields(LAYOUT)) <= schema
    for layout in range(1, LAYOUT + 1):
        assert content_fields(layout) == [c.field for c in CONTENT if c.since <= layout]
