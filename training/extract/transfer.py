"""Writes documents and their vectors for the indexer: one Parquet file, with vectors as binary."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from services.common.documents import OWN

VECTOR = "vector"
"""Name of the column of vectors."""


Block = tuple[Sequence[dict[str, Any]], NDArray[np.floating]]
"""Documents (the members of `Content`), at least one, with float [documents, dimension]."""


def write_table(target: Path, blocks: Iterable[Block]) -> int:
    """Writes blocks of documents one after the other, of which one is in memory at a time, and
    returns the number of documents. There is no file if there are none.

    Metadata are a column of JSON, since they may be of different kinds in different documents.
    Vectors keep their type, which is that of the first block: float16 takes half the space of
    float32.
    """
    writer, documents = None, 0
    try:
        for block in blocks:
            table = _table(*block)
            # Vectors look like noise: a dictionary of their values would be larger than the values.
            writer = writer or parquet.ParquetWriter(
                target, table.schema, compression="zstd", use_dictionary=["title"]
            )
            writer.write_table(table)
            documents += len(table)
    finally:
        if writer is not None:
            writer.close()
    return documents


def _table(documents: Sequence[dict[str, Any]], vectors: NDArray[np.floating]) -> Any:
    fields = [
        json.dumps(each["fields"], ensure_ascii=False) if each.get("fields") else None
        for each in documents
    ]
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    # Bodies of a block may have more than the 2 GiB that a usual column of texts holds.
    columns = {
        name: pa.array([each.get(name) for each in documents], pa.large_string()) for name in OWN
    }
    columns["fields"] = pa.ExtensionArray.from_storage(
        pa.json_(pa.string()), pa.array(fields, pa.string())
    )
    columns[VECTOR] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.table(columns)
