"""Documents on their way into the index, as tables of Arrow between processes and on disk."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from services.common.documents import Document, FieldValue, lexical_source
from services.common.errors import MalformedRequest
from services.common.text import WordAnalyzer, index_text

Vector = npt.NDArray[np.float32]

_STRINGS = ("id", "title", "text", "fields", "words")


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """A clean document of a part, with where it came from."""

    line: int
    document: Document
    vector: Vector | None = None
    """Ready-made; None when the worker is to encode it."""
    version: int | None = None
    """When a rebuild carries a document over: the version that it has. Else the job's."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the index, whole."""

    id: str
    title: str
    text: str
    fields: dict[str, FieldValue]
    words: str
    vector: Vector
    version: int | None = None
    """None takes the version of the write."""


def document_row(document: Document, vector: Vector, analyzer: WordAnalyzer) -> Row:
    """The row of a document, the same whether it comes alone or in bulk."""
    return Row(
        id=document.id,
        title=document.title,
        text=document.text,
        fields=document.fields,
        words=index_text(analyzer.words(lexical_source(document))),
        vector=vector,
    )


def pack_planned(documents: Iterable[PlannedDocument]) -> bytes:
    """A part as one Arrow file."""
    items = list(documents)
    columns: dict[str, Any] = {
        "line": pa.array([item.line for item in items], pa.int64()),
        "id": pa.array([item.document.id for item in items], pa.string()),
        "title": pa.array([item.document.title for item in items], pa.string()),
        "text": pa.array([item.document.text for item in items], pa.string()),
        "fields": pa.array([_json(item.document.fields) for item in items], pa.string()),
        "version": pa.array([item.version for item in items], pa.int64()),
        "vector": pa.array([item.vector for item in items], pa.list_(pa.float32())),
    }
    return _pack(columns)


def unpack_planned(content: bytes, start: int, stop: int) -> list[PlannedDocument]:
    """Documents [start, stop) of a part. They were validated when it was planned."""
    table = _unpack(content).slice(start, stop - start)
    vectors = table.column("vector").combine_chunks()
    return [
        PlannedDocument(
            line=item["line"],
            document=Document.model_construct(
                id=item["id"],
                title=item["title"],
                text=item["text"],
                fields=json.loads(item["fields"]),
            ),
            vector=_vector(vectors[position]),
            version=item["version"],
        )
        for position, item in enumerate(table.drop_columns(["vector"]).to_pylist())
    ]


def pack_rows(rows: Sequence[Row]) -> bytes:
    """Rows of one dimension, at least one."""
    matrix = np.ascontiguousarray(np.stack([row.vector for row in rows]), dtype=np.float32)
    columns: dict[str, Any] = {
        "id": pa.array([row.id for row in rows], pa.string()),
        "title": pa.array([row.title for row in rows], pa.string()),
        "text": pa.array([row.text for row in rows], pa.string()),
        "fields": pa.array([_json(row.fields) for row in rows], pa.string()),
        "words": pa.array([row.words for row in rows], pa.string()),
        "version": pa.array([row.version for row in rows], pa.int64()),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1]),
    }
    return _pack(columns)


def unpack_rows(content: bytes) -> list[Row]:
    """Raises MalformedRequest unless `pack_rows` made it."""
    try:
        table = _unpack(content)
        vectors = table.column("vector").combine_chunks()
        matrix = vectors.flatten().to_numpy().reshape(len(table), vectors.type.list_size)
        rows = table.drop_columns(["vector"]).to_pylist()
    except (pa.ArrowException, KeyError, ValueError, AttributeError) as error:
        raise MalformedRequest("The rows are not the expected Arrow table.") from error
    return [
        Row(
            **{name: row[name] for name in _STRINGS if name != "fields"},
            fields=json.loads(row["fields"]),
            version=row["version"],
            vector=matrix[position],
        )
        for position, row in enumerate(rows)
    ]


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
        return reader.read_all()


def _json(fields: dict[str, FieldValue]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _vector(scalar: Any) -> Vector | None:
    if not scalar.is_valid:
        return None
    vector: Vector = scalar.values.to_numpy().astype(np.float32)
    return vector
