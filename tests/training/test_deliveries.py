"""A matrix and its texts: each document keeps its own vector, or nothing is loaded."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from training.cli import deliveries
from training.cli.deliveries import of_matrix
from training.data.documents import DocumentFile
from training.extract.shards import ExtractionError


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
