"""`load`: extracted vectors are what a collection is searched by; nothing is embedded again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from services.common.engine import PredictorOptions, open_encoder
from tests.stack import Stack
from training.cli.load import app
from training.data.documents import DocumentFile
from training.extract.extraction import extract
from training.extract.shards import ShardFolder
from xunwen.client import Client

ENCODER = Path(__file__).parents[2] / "models" / "literature-encoder"
OPTIONS = PredictorOptions(threads=1, precision="int8")
_ROWS: list[dict[str, Any]] = [
    {"id": "rice", "title": "水稻种植技术", "year": 2001},
    {"id": "sea", "title": "海洋生态保护", "year": "n.d.", "kinds": ["a", "b"]},
    {"id": "firm", "title": "国有企业改革", "year": 2003},
]


def test_vectors_of_files_are_searched_by(stack: Stack, tmp_path: Path) -> None:
    source = tmp_path / "corpus.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in _ROWS), "utf-8")
    folder = tmp_path / "vectors"
    encoder = open_encoder(ENCODER, OPTIONS)
    extract(DocumentFile(source), folder, encoder, dtype="float16", shard_records=2)
    # Two documents exchange their vectors: whoever embeds again would not find it out.
    matrix = ShardFolder(folder).file(0, "npy")
    np.save(matrix, np.load(matrix)[::-1])

    loaded = stack.xunwen("load", str(folder), "--collection", "loaded")
    assert loaded.returncode == 0, loaded.stderr
    assert "3 documents in loaded, 0 rejected" in loaded.stdout
    with Client(stack.url) as client:
        found = client.search("水稻种植技术", collection="loaded", mode="dense", rank=False)
        assert found.hits[0].id == "sea"
        # Metadata of several kinds in one column come through as they are.
        found = client.search("海洋生态保护", collection="loaded", mode="lexical", rank=False)
        assert found.hits[0].fields == {"year": "n.d.", "kinds": ["a", "b"]}
        client.delete_collection("loaded")


def test_a_matrix_with_its_texts(stack: Stack, tmp_path: Path) -> None:
    """As PaddleNLP's examples leave them: corpus_embedding.npy, and a text a line."""
    texts = tmp_path / "milvus_data.csv"
    texts.write_text("".join(f"{row['title']}\n" for row in _ROWS), "utf-8")
    encoder = open_encoder(ENCODER, OPTIONS)
    matrix = tmp_path / "corpus_embedding.npy"
    np.save(matrix, 3 * encoder.encode([str(row["title"]) for row in _ROWS])[::-1])
    given = ["load", str(matrix), "--texts", str(texts), "--collection", "matrix"]
    refused = stack.xunwen(*given)
    assert (refused.returncode, "needs --encoder" in refused.stderr) == (1, True)
    loaded = stack.xunwen(*given, "--encoder", str(ENCODER))
    assert loaded.returncode == 0, loaded.stderr
    assert "3 documents in matrix, 0 rejected" in loaded.stdout
    with Client(stack.url) as client:
        found = client.search("水稻种植技术", collection="matrix", mode="dense", rank=False)
        assert found.hits[0].text == "国有企业改革"
        client.delete_collection("matrix")
    texts.write_text("一行\n", "utf-8")
    # Rows without a document are left out, and the exit code says so, as that of `index` does.
    texts.write_text("id,title\na,水稻\n,海洋\nc,\n", "utf-8")
    partly = stack.xunwen(*given, "--encoder", str(ENCODER))
    assert (partly.returncode, "1 documents in matrix, 2 rejected" in partly.stdout) == (4, True)
    with Client(stack.url) as client:
        client.delete_collection("matrix")
    texts.write_text("一行\n", "utf-8")
    wrong = stack.xunwen(*given, "--encoder", str(ENCODER))
    assert (wrong.returncode, "a row for each line" in wrong.stderr) == (1, True)


def test_what_cannot_be_loaded_is_one_clear_line(stack: Stack, tmp_path: Path) -> None:
    nothing = stack.xunwen("load", str(tmp_path), "--collection", "loaded")
    assert nothing.returncode == 1
    assert "holds no extraction" in nothing.stderr

    source = tmp_path / "corpus.jsonl"
    source.write_text(json.dumps(_ROWS[0]) + "\n", "utf-8")
    folder = tmp_path / "vectors"
    extract(DocumentFile(source), folder, open_encoder(ENCODER, OPTIONS))
    plan = json.loads((folder / "extraction.json").read_text())
    (folder / "extraction.json").write_text(json.dumps(plan | {"encoder": "0" * 16}))
    other = stack.xunwen("load", str(folder), "--collection", "loaded")
    assert other.returncode == 1
    assert "is not installed; the fingerprints of those that are" in other.stderr


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--texts", "t.txt", "--encoder", "e", "--seen-at", "s3://b/v"], "--seen-at is for"),
        (["--encoder", "e"], "are for --texts"),
        (["--mapping", "{}"], "are for --texts"),
        (["--format", "csv"], "are for --texts"),
        (["--charset", "gb18030"], "are for --texts"),
    ],
)
def test_an_option_without_effect_is_refused(
    options: list[str], named: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, [str(tmp_path), "--collection", "loaded", *options])
    assert result.exit_code == 2, result.output
    assert named in " ".join(result.stderr.replace("\u2502", " ").split())
