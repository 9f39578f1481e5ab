"""The index by id that the embedded engine's tables lack.

milvus-lite keeps each collection in a table of one SQLite file, without an index by document id, so
that replacing or deleting a document reads the whole table: 333 ms of 30,000 documents, with the
index 34 ms. This module is imported before the engine starts and therefore imports little.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

_IDS = "milvus_id"
"""The column of a table of documents that holds their ids."""
_SECONDS = 5.0
"""Seconds to wait for a lock of the engine."""


def add_id_indexes(database: Path) -> None:
    """Gives each table of documents an index by id, unless it has one.

    While the engine has the file open nothing else may write to it: the engine does not wait for
    locks. Raises sqlite3.Error where the file cannot be written.
    """
    if not database.exists():
        return
    with closing(sqlite3.connect(database, timeout=_SECONDS)) as connection, connection:
        names = connection.execute("SELECT type, name FROM sqlite_master").fetchall()
        indexes = {name for kind, name in names if kind == "index"}
        for kind, table in names:
            index = f"xunwen_ids_{table}"
            if kind == "table" and index not in indexes and _has_ids(connection, table):
                connection.execute(f"CREATE INDEX {_quoted(index)} ON {_quoted(table)} ({_IDS})")


def _has_ids(connection: sqlite3.Connection, table: str) -> bool:
    columns = connection.execute(f"PRAGMA table_info({_quoted(table)})").fetchall()
    return any(column[1] == _IDS for column in columns)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
