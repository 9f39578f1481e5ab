"""What milvus-lite 3 stored is read with its own rules: the newest row counts, deletions hold."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from xunwen.embedded.earlier import documents


def rows(*items: tuple[int, str, str]) -> "pa.Table":
    """Rows as (sequence number, id, title)."""
    return pa.table(
        {
            "_seq": [seq for seq, _, _ in items],
            "id": [identity for _, identity, _ in items],
            "title": [title for _, _, title in items],
            "text": ["" for _ in items],
            "fields": [json.dumps({"year": seq}) for seq, _, _ in items],
        }
    )


def deletions(*items: tuple[int, str]) -> "pa.Table":
    """Deletions as (sequence number, id)."""
    return pa.table({"id": [one for _, one in items], "_seq": [seq for seq, _ in items]})


def collection(folder: Path, data: Sequence[Any], delta: Sequence[Any]) -> None:
    """The Parquet files of a collection and the manifest that lists them."""
    partition = folder / "partitions" / "_default"
    files: dict[str, list[str]] = {"data_files": [], "delta_files": []}
    for kind, tables in (("data", data), ("delta", delta)):
        (partition / kind).mkdir(parents=True)
        for number, table in enumerate(tables):
            file = f"{kind}/{kind}_{number}.parquet"
            pq.write_table(table, partition / file)
            files[f"{kind}_files"].append(file)
    (folder / "manifest.json").write_text(json.dumps({"partitions": {"_default": files}}))


def log(folder: Path, name: str, *tables: Any) -> Path:
    (folder / "wal").mkdir(exist_ok=True)
    path = folder / "wal" / name
    with path.open("wb") as sink, pa.ipc.new_stream(sink, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table)
    return path


def titles(folder: Path) -> dict[str, str]:
    return {item["id"]: item["title"] for item in documents(folder)}


def test_files_and_log_are_one_history(tmp_path: Path) -> None:
    written = rows((1, "a", "alt"), (2, "b", "bleibt"), (3, "c", "weg"), (4, "d", "weg"))
    collection(tmp_path, [written, rows((7, "d", "wieder"))], [deletions((5, "c"), (6, "d"))])
    log(tmp_path, "wal_data_000002.arrow", rows((8, "a", "neu")), rows((9, "e", "dazu")))
    log(tmp_path, "wal_delta_000002.arrow", deletions((10, "e"), (10, "nie da")))
    assert titles(tmp_path) == {"a": "neu", "b": "bleibt", "d": "wieder"}
    assert next(documents(tmp_path))["fields"] == {"year": 8}


def test_a_log_that_a_kill_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    collection(tmp_path, [], [])
    path = log(tmp_path, "wal_data_000001.arrow", rows((1, "a", "ganz")), rows((2, "b", "halb")))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 120])
    assert titles(tmp_path) == {"a": "ganz"}
