"""Rows as the Parquet tables that Milvus's bulk import reads.

They are made of the entities that an upsert would write. Milvus wants JSON as text and vectors as
lists.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from services.indexer.index.milvus.entities import entity
from services.indexer.index.milvus.passage_entities import passage_entities
from services.indexer.rows import Row

WRITING = {"compression": "zstd", "use_dictionary": False, "write_page_checksum": True}
"""Options of every such table. Vectors look like noise: a dictionary of their values would be
larger than the values."""


def row_table(rows: Sequence[Row], version: int, columns: Collection[str]) -> bytes:
    """The table of at least one row, for a collection with these columns."""
    return _packed([entity(row, version, columns) for row in rows])


def passage_table(rows: Sequence[Row], version: int, columns: Collection[str]) -> bytes:
    """The table of the passages of rows, of which there is at least one; `columns` are those of the
    collection of their documents."""
    return _packed([one for row in rows for one in passage_entities(row, version, columns)])


def _packed(entities: Sequence[dict[str, Any]]) -> bytes:
    arrays = {name: _array([one[name] for one in entities]) for name in entities[0]}
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(arrays), sink, **WRITING)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _array(values: Sequence[Any]) -> Any:
    """The values of a column, which are all of one kind."""
    match values[0]:
        case np.ndarray():
            ends = np.cumsum([0, *map(len, values)], dtype=np.int32)
            return pa.ListArray.from_arrays(ends, pa.array(np.concatenate(values), pa.float32()))
        case str():
            return pa.array(values, pa.string())
        case int():
            return pa.array(values, pa.int64())
        case float():
            return pa.array(values, pa.float64())
    return pa.array([json.dumps(value, ensure_ascii=False) for value in values], pa.string())
