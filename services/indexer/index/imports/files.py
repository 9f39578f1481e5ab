"""Puts stored tables together to the files that Milvus imports."""

from collections.abc import Callable

import pyarrow as pa
from pyarrow import parquet

from services.indexer.index.imports.tables import WRITING
from services.indexer.store import NoSuchObject, ObjectStore

FILE_BYTES = 256 << 20
"""Size in memory from which on a file is closed. Milvus makes at least one segment of each file, so
small files would make many, and it gives an import up that takes longer than fifteen minutes."""


class Stopped(Exception):
    """The file is no longer wanted."""


class TableLost(Exception):
    """A stored table is gone, or its bytes are damaged."""


def next_file(
    source: ObjectStore,
    tables: list[str],
    target: ObjectStore,
    key: str,
    stopped: Callable[[], bool],
) -> None:
    """Writes the first of the tables into one file, and removes them from the list.

    One table is in memory at a time. Once `stopped` is true, no file is left. Raises Unavailable,
    and TableLost if a table is gone or damaged.
    """
    size = 0
    with target.writer(key) as stream:
        first = _table(source, tables[0])
        with parquet.ParquetWriter(stream, first.schema, **WRITING) as writer:
            while tables and size < FILE_BYTES:
                if stopped():
                    raise Stopped
                table = _table(source, tables[0]) if size else first
                writer.write_table(table)
                size += table.nbytes
                del tables[0]


def _table(store: ObjectStore, key: str) -> pa.Table:
    try:
        content = pa.BufferReader(store.read(key))
        return parquet.read_table(content, page_checksum_verification=True)
    except (NoSuchObject, pa.ArrowException, OSError) as error:
        raise TableLost from error
