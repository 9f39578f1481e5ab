"""Writes a collection as a file that an index job can read: JSON lines or Parquet."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from services.common.documents import OWN, FieldValue
from services.common.wire.contents import ExportFormat
from services.indexer.rows import Row

VECTOR = "vector"
"""Name of the member or column with the stored vectors."""


async def exported(
    pages: AsyncIterator[list[Row]], form: ExportFormat, dimension: int | None
) -> AsyncIterator[bytes]:
    """The bytes of the file, a page of rows at a time; vectors have this `dimension`, None leaves
    them out.

    Raises the errors of reading a page.
    """
    if form is ExportFormat.JSONL:
        async for rows in pages:
            yield await asyncio.to_thread(_lines, rows, dimension is not None)
        return
    table = _Table(dimension)
    async for rows in pages:
        yield await asyncio.to_thread(table.add, rows)
    yield table.end()


def _lines(rows: Iterable[Row], vectors: bool) -> bytes:
    lines = []
    for row in rows:
        members: dict[str, Any] = row.document.model_dump()
        if vectors:
            # str() of a float32 has the fewest digits that restore it.
            members[VECTOR] = [float(str(number)) for number in row.vector]
        lines.append(_json(members))
    return "".join(f"{line}\n" for line in lines).encode()


def _json(value: dict[str, Any] | dict[str, FieldValue]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class _Sink:
    """A file whose bytes are passed on while it is written."""

    closed = False

    def __init__(self) -> None:
        self._held = bytearray()
        self._written = 0

    def write(self, content: bytes) -> int:
        """Keeps the bytes until they are taken."""
        self._held += content
        self._written += len(content)
        return len(content)

    def tell(self) -> int:
        """Number of bytes written so far."""
        return self._written

    def flush(self) -> None:
        """Does nothing, since the bytes are taken by `taken`."""

    def taken(self) -> bytes:
        """The bytes written since the last call."""
        held = bytes(self._held)
        self._held.clear()
        return held


class _Table:
    """A Parquet file with a row group for each page.

    The metadata are a column of the logical type JSON, since their kinds may differ between
    documents.
    """

    def __init__(self, dimension: int | None) -> None:
        columns = [*((name, pa.string()) for name in OWN), ("fields", pa.json_())]
        if dimension is not None:
            columns.append((VECTOR, pa.list_(pa.float32(), dimension)))
        self._schema = pa.schema(columns)
        self._sink = _Sink()
        self._writer = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")

    def add(self, rows: list[Row]) -> bytes:
        """The bytes of one further row group."""
        documents = [row.document for row in rows]
        fields = pa.array([_json(document.fields) for document in documents], pa.string())
        columns: list[Any] = [
            pa.array([getattr(document, name) for document in documents], pa.string())
            for name in OWN
        ]
        columns.append(pa.ExtensionArray.from_storage(pa.json_(), fields))
        if VECTOR in self._schema.names:
            kind = self._schema.field(VECTOR).type
            columns.append(pa.array([row.vector for row in rows], kind))
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
        return self._sink.taken()

    def end(self) -> bytes:
        """The bytes of the footer."""
        self._writer.close()
        return self._sink.taken()
