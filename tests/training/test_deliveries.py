"""A matrix and its texts: each document keeps its own vector, or nothing is loaded."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from training.cli import deliveries
from training.cli.deliveries import of_matrix, of_shard
from training.data.documents import DocumentFile
from training.extract.shards import ExtractionError, Shard, ShardFolder


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("plain.txt", "甲文\n乙文\n丙文\n", {"甲文": 0, "乙文": 1, "丙文": 2}),
        ("blank.txt", "甲文\n\n乙文\n \n丙文\n", {"甲文": 0, "乙文": 2, "丙文": 4}),
        ("ends.txt", "\r\n甲文\r\n乙文\r\n\r\n", {"甲文": 1, "乙文": 2}),
        ("packed.txt.gz", "甲文\n\n乙文", {"甲文": 0, "乙文": 2}),
        ("table.csv", "id,text\n1,甲文\n\n2,乙文\n", {"甲文": 0, "乙文": 1}),
        (
            "rows.jsonl",
            '{"id": "1", "text": "甲文"}\n\n{"id": "2", "text": "乙文"}\n',
            {"甲文": 0, "乙文": 1},
        ),
    ],
)
def test_each_document_has_the_vector_of_its_row(
    name: str, content: str, rows: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "_BLOCK", 2)
    path, matrix = tmp_path / name, tmp_path / "matrix.npy"
    path.write_bytes(gzip.compress(content.encode()) if ".gz" in name else content.encode())
    lines = len(content.splitlines()) if ".txt" in name else len(rows)
    np.save(matrix, np.eye(lines, dtype=np.float32))
    found = {
        document["text"]: int(vector.argmax())
        for block in of_matrix(matrix, DocumentFile(path))
        for document, vector in zip(block.documents, block.vectors, strict=True)
    }
    assert found == rows


@pytest.mark.parametrize("lines", [0, 3, 4, 6])
def test_another_number_of_rows_is_refused_before_the_first_block(
    lines: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "_BLOCK", 2)
    path, matrix = tmp_path / "texts.txt", tmp_path / "matrix.npy"
    path.write_text("甲文\n\n乙文\n丙文\n丁文\n", "utf-8")
    np.save(matrix, np.eye(6, dtype=np.float32)[:lines])
    with pytest.raises(ExtractionError, match="is for 5, a row for each line, also a blank one"):
        next(of_matrix(matrix, DocumentFile(path)))


def _saved(values: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(values))
    return stream.getvalue()


def _archive() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, vectors=np.eye(2, dtype=np.float32))
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"no matrix", _archive(), _saved(np.eye(2))[:-1], _saved([1.0]), _saved([[1], [2]])],
    ids=["empty", "text", "npz", "cut", "one row", "integers"],
)
def test_a_file_that_is_no_matrix_is_one_clear_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("甲文\n乙文\n", "utf-8")
    matrix = tmp_path / "matrix.npy"
    matrix.write_bytes(content)
    with pytest.raises(ExtractionError, match=r"is no \.npy file of a float matrix"):
        next(of_matrix(matrix, DocumentFile(tmp_path / "texts.txt")))
    # The matrix of a shard is as wrong.
    shards = ShardFolder(tmp_path)
    shards.file(0, "npy").write_bytes(content)
    shards.file(0, "jsonl").write_text('{"id": "1"}\n{"id": "2"}\n', "utf-8")
    with pytest.raises(ExtractionError, match=r"shard 0 of .* is damaged"):
        of_shard(shards, Shard(number=0, records=2, documents=2, rejected=[], last=True))


@pytest.mark.parametrize("lines", [None, "half a li", '{"id": "1"}\n', '{"id": "1"}\n["2"]\n'])
def test_a_shard_without_its_documents_is_damaged(lines: str | None, tmp_path: Path) -> None:
    shards = ShardFolder(tmp_path)
    np.save(shards.file(0, "npy"), np.eye(2, dtype=np.float32))
    if lines is not None:
        shards.file(0, "jsonl").write_text(lines, "utf-8")
    with pytest.raises(ExtractionError, match=r"delete its \.json file and extract again"):
        of_shard(shards, Shard(number=0, records=2, documents=2, rejected=[], last=True))


def test_records_that_are_no_documents_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "_BLOCK", 2)
    rows = ["1,甲文", "2,", "3,", ",乙文", "5,丙文"]
    (tmp_path / "table.csv").write_text("\n".join(["id,text", *rows]), "utf-8")
    np.save(tmp_path / "matrix.npy", np.eye(5, dtype=np.float32))
    found = [*of_matrix(tmp_path / "matrix.npy", DocumentFile(tmp_path / "table.csv"))]
    assert [(len(each.documents), each.left_out) for each in found] == [(1, 1), (0, 2), (1, 0)]
