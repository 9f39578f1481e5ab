"""The files of an import have exactly the rows that workers stored, in files of bounded size."""

import json
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from services.common.collection import Field
from services.common.documents import Content
from services.common.fields.columns import columns_of
from services.common.fields.types import FieldKind, FieldType
from services.indexer.index.imports.files import Stopped, TableLost, next_file
from services.indexer.index.imports.tables import row_table
from services.indexer.index.milvus.entities import entity
from services.indexer.rows import Row
from services.indexer.store import ObjectStore

COLUMNS = [*columns_of({"year": FieldType(type=FieldKind.NUMBER)}), Field.WORDS]
PER_TABLE = 7


def row(number: int) -> Row:
    fields = {"year": 2000.5 + number, "刊": ["甲", '乙"'], "真": True} if number % 3 else {}
    vector = np.array([number, 0.25], dtype=np.float32)
    document = Content(id=f"d{number}", title="题", text=f"文{number}", fields=fields)
    return Row(document, "词 语", vector)


def unwanted() -> bool:
    """No job is cancelled."""
    return False


def test_tables_become_files_of_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, place = ObjectStore(str(tmp_path / "jobs")), ObjectStore(str(tmp_path / "place"))
    monkeypatch.setattr("services.indexer.index.imports.files.FILE_BYTES", 2_000)
    rows = [row(number) for number in range(6 * PER_TABLE)]
    tables = []
    for start in range(0, len(rows), PER_TABLE):
        tables.append(f"rows/{start:04d}")
        store.write(tables[-1], row_table(rows[start : start + PER_TABLE], 9, COLUMNS))
    files = 0
    while tables:
        next_file(store, tables, place, f"import/{files}", unwanted)
        files += 1
    assert 1 < files < 6
    found = [
        line
        for number in range(files)
        for line in parquet.read_table(place.location(f"import/{number}")).to_pylist()
    ]
    for line, one in zip(found, rows, strict=True):
        given = entity(one, 9, COLUMNS)
        given["vector"] = given["vector"].tolist()
        for name in ("fields", "facets"):
            line[name] = json.loads(line[name])
        assert line == given


@pytest.mark.parametrize("damage", ["absent", "cut", "changed"])
def test_a_table_that_is_lost_is_told(tmp_path: Path, damage: str) -> None:
    store, place = ObjectStore(str(tmp_path / "jobs")), ObjectStore(str(tmp_path / "place"))
    content = bytearray(row_table([row(number) for number in range(50)], 1, COLUMNS))
    if damage == "changed":
        content[len(content) // 3] ^= 0xFF
    if damage != "absent":
        store.write("table", bytes(content[: len(content) // 2 if damage == "cut" else None]))
    with pytest.raises(TableLost):
        next_file(store, ["table"], place, "import/0", unwanted)
    assert place.names("import") == []


def test_a_file_that_is_no_longer_wanted_does_not_appear(tmp_path: Path) -> None:
    store, place = ObjectStore(str(tmp_path / "jobs")), ObjectStore(str(tmp_path / "place"))
    for table in ("0", "1"):
        store.write(table, row_table([row(1)], 1, COLUMNS))
    answers = iter([False, True])
    with pytest.raises(Stopped):
        next_file(store, ["0", "1"], place, "import/0", lambda: next(answers))
    assert place.names("import") == []


def test_a_location_is_what_another_program_reads_by(tmp_path: Path) -> None:
    assert ObjectStore(str(tmp_path)).location("a/b") == f"{tmp_path}/a/b"
    assert ObjectStore("s3://bucket/prefix").location("a/b") == "prefix/a/b"
    assert ObjectStore("s3://bucket").location("a/b") == "a/b"
