"""Writes documents and their vectors for the indexer: one Parquet file, with vectors as binary."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

VECTOR = "vector"
"""Name of the column of vectors."""


def write_table(
    target: Path, documents: Sequence[dict[str, Any]], vectors: NDArray[np.floating]
) -> None:
    """Writes documents (`id`, `title`, `text`, `fields`) with float [documents, dimension].

    Metadata are a column of JSON, since they may be of different kinds in different documents.
    Vectors keep their type: float16 takes half the space of float32.
    """
    fields = [
        json.dumps(each["fields"], ensure_ascii=False) if each.get("fields") else None
        for each in documents
    ]
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    columns = {
        name: pa.array([each.get(name) for each in documents], pa.string())
        for name in ("id", "title", "text")
    }
    columns["fields"] = pa.ExtensionArray.from_storage(
        pa.json_(pa.string()), pa.array(fields, pa.string())
    )
    columns[VECTOR] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    # Vectors look like noise: a dictionary of their values would be larger than the values.
    parquet.write_table(pa.table(columns), target, compression="zstd", use_dictionary=["title"])
