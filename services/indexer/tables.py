"""The Arrow tables in which documents and rows travel between processes."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from services.common.documents import OWN, Content, FieldValue
from services.common.errors import MalformedRequest
from services.indexer import passages
from services.indexer.rows import EncodedRows, PlannedDocument, Row, Vector

_DAMAGES = (pa.ArrowException, OSError, LookupError, TypeError, ValueError, AttributeError)
"""Errors of Arrow for bytes in memory that are no such table. OSError is among them, since Arrow's
zstd raises one for damaged bytes."""
_VECTOR_OF = "vector of "
"""Prefix of the name of a column, before the encoder's fingerprint."""


def pack_planned(documents: Iterable[PlannedDocument]) -> bytes:
    """A part as an Arrow file."""
    items = list(documents)
    columns: dict[str, Any] = {
        "line": pa.array([item.line for item in items], pa.int64()),
        **_columns([item.document for item in items]),
        "version": pa.array([item.version for item in items], pa.int64()),
        "vector": pa.array([item.vector for item in items], pa.list_(pa.float32())),
    }
    return _pack(columns)


def unpack_planned(content: bytes, start: int, stop: int) -> list[PlannedDocument]:
    """Documents [start, stop) of a part, which were validated when it was planned.

    Raises MalformedRequest unless `pack_planned` made the bytes, since a storage may damage them.
    """
    try:
        table = _unpack(content).slice(start, stop - start)
        vectors = table.column("vector").combine_chunks()
        return [
            PlannedDocument(
                line=item["line"],
                document=_content(item),
                vector=_vector(vectors[position]),
                version=item["version"],
            )
            for position, item in enumerate(table.drop_columns(["vector"]).to_pylist())
        ]
    except _DAMAGES as error:
        raise MalformedRequest("The part is damaged in the indexer's storage.") from error


def pack_rows(rows: Sequence[Row]) -> bytes:
    """Rows of one dimension, at least one, as an Arrow table without their passages."""
    return _pack(_texts(rows) | {"vector": _matrix(rows)})


def unpack_rows(content: bytes) -> list[Row]:
    """The rows of an Arrow table. Raises MalformedRequest unless `pack_rows` made it."""
    return _rows(content, lambda column: "" if column == "vector" else None)[""]


def pack_encoded(rows: EncodedRows) -> bytes:
    """Rows by encoder, at least one of each, as an Arrow table; the documents are held once."""
    vectors = {f"{_VECTOR_OF}{encoder}": _matrix(encoded) for encoder, encoded in rows.items()}
    parts = {encoder: [row.passages for row in encoded] for encoder, encoded in rows.items()}
    return _pack(_texts(next(iter(rows.values()))) | vectors | passages.columns(parts))


def unpack_encoded(content: bytes) -> dict[str, list[Row]]:
    """The rows of an Arrow table by encoder. Raises MalformedRequest unless `pack_encoded` made
    it."""
    return _rows(
        content,
        lambda column: column.removeprefix(_VECTOR_OF) if column.startswith(_VECTOR_OF) else None,
    )


def _texts(rows: Sequence[Row]) -> dict[str, Any]:
    """The columns that are the same for every encoder."""
    return {
        **_columns([row.document for row in rows]),
        "words": pa.array([row.words for row in rows], pa.string()),
        "version": pa.array([row.version for row in rows], pa.int64()),
        "analyzer": pa.array([row.analyzer for row in rows], pa.string()),
    }


def _matrix(rows: Sequence[Row]) -> Any:
    matrix = np.ascontiguousarray(np.stack([row.vector for row in rows]), dtype=np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])


def _rows(content: bytes, encoder_of: Callable[[str], str | None]) -> dict[str, list[Row]]:
    """Rows by encoder; `encoder_of` gives the encoder of a column of vectors, and None for other
    columns."""
    try:
        table = _unpack(content)
        named = {column: encoder_of(column) for column in table.column_names}
        matrices = {}
        for column, encoder in named.items():
            if encoder is not None:
                vectors = table.column(column).combine_chunks()
                shape = (len(table), vectors.type.list_size)
                matrices[encoder] = vectors.flatten().to_numpy().reshape(shape)
        texts = [
            column
            for column, encoder in named.items()
            if encoder is None and not passages.holds(column)
        ]
        lines = table.select(texts).to_pylist()
        documents = [_content(line) for line in lines]
        rows = {
            encoder: [
                Row(
                    document,
                    line["words"],
                    vector,
                    line["version"],
                    parts,
                    line.get("analyzer", ""),
                )
                for document, line, vector, parts in zip(
                    documents, lines, matrix, passages.read(table, encoder), strict=True
                )
            ]
            for encoder, matrix in matrices.items()
        }
    except _DAMAGES as error:
        raise MalformedRequest("The rows are not the expected Arrow table.") from error
    if not rows:
        raise MalformedRequest("The rows have no vectors.")
    return rows


def _columns(documents: Sequence[Content]) -> dict[str, Any]:
    """The members of documents as columns of text, the metadata as JSON."""
    own = {name: [getattr(document, name) for document in documents] for name in OWN}
    own["fields"] = [_json(document.fields) for document in documents]
    return {name: pa.array(texts, pa.string()) for name, texts in own.items()}


def _content(item: dict[str, Any]) -> Content:
    """The document of one line of such columns.

    A version that did not know a member wrote no column for it.
    """
    members = {name: item[name] for name in OWN if name in item}
    return Content.model_construct(**members, fields=json.loads(item["fields"]))


def _pack(columns: dict[str, Any]) -> bytes:
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _unpack(content: bytes) -> Any:
    with pa.ipc.open_file(pa.BufferReader(content)) as reader:
        table = reader.read_all()
    # Without this check, an offset that points elsewhere would end the process.
    table.validate(full=True)
    return table


def _json(fields: dict[str, FieldValue]) -> str:
    # A NaN would make the row unreadable; every way in refuses one.
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _vector(scalar: Any) -> Vector | None:
    if not scalar.is_valid:
        return None
    vector: Vector = scalar.values.to_numpy().astype(np.float32)
    return vector
