"""`predict`: the figures are those of the models, and bad lines are named."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from services.common.engine import Encoder, PredictorOptions, open_encoder, open_ranker
from services.common.engine.predictor import FloatArray
from services.common.model_dir import ModelManifest, write_manifest
from tests.models import DIMENSION, tiny_encoder, tiny_ranker
from training.cli import predict
from training.cli.predict import app
from training.data.documents import DocumentFile
from training.extract.extraction import extract
from training.extract.prediction import text_vectors

_PAIRS = [("国有企业", "企业改革"), ("水稻", "水稻"), ("海洋", "a")]
_FP32 = PredictorOptions(threads=1, precision="fp32")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_encoder(folder / "encoder")
    tiny_ranker(folder / "ranker")
    return folder


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{left}\t{right}\n" for left, right in _PAIRS), "utf-8")
    return path


def _scores(output: str) -> list[float]:
    return [float(line.split("\t")[2]) for line in output.splitlines() if "\t" in line]


def test_cosine_of_pairs(models: Path, pairs: Path) -> None:
    options = ["--encoder", str(models / "encoder"), "--precision", "fp32"]
    result = CliRunner().invoke(app, ["pairs", str(pairs), *options])
    assert result.exit_code == 0, result.output
    encoder = open_encoder(models / "encoder", _FP32)
    expected = [
        float(encoder.encode_queries([left])[0] @ encoder.encode([right])[0])
        for left, right in _PAIRS
    ]
    assert _scores(result.stdout) == pytest.approx(expected, abs=1e-4)
    assert _scores(result.stdout)[1] == pytest.approx(1, abs=1e-4)


def test_relevance_by_the_ranker(models: Path, pairs: Path) -> None:
    options = ["--ranker", str(models / "ranker"), "--precision", "fp32"]
    result = CliRunner().invoke(app, ["pairs", str(pairs), *options])
    assert result.exit_code == 0, result.output
    ranker = open_ranker(models / "ranker", _FP32)
    logits = np.array([ranker.score(left, [right])[0] for left, right in _PAIRS])
    assert _scores(result.stdout) == pytest.approx(1 / (1 + np.exp(-logits)), abs=1e-4)


def test_bad_lines_are_named_and_the_rest_is_judged(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("国\t企\nonly one\n水\t稻\n\t空\n", "utf-8")
    options = ["--encoder", str(models / "encoder")]
    result = CliRunner().invoke(app, ["pairs", str(path), *options])
    assert result.exit_code == 1
    assert len(_scores(result.stdout)) == 2
    assert "2, 4" in result.stderr


def test_vectors_of_lines(models: Path, tmp_path: Path) -> None:
    options = ["--encoder", str(models / "encoder"), "--precision", "fp32"]
    target = tmp_path / "vectors.npy"
    result = CliRunner().invoke(
        app, ["vectors", "-", str(target), *options], input="国有企业\n\n水稻\n"
    )
    assert result.exit_code == 0, result.output
    expected = open_encoder(models / "encoder", _FP32).encode(["国有企业", "", "水稻"])
    assert np.allclose(np.load(target), expected, atol=1e-6)


def test_vectors_of_lines_are_those_of_an_extraction(tmp_path: Path) -> None:
    """So that `load` gives each text the vector that an index job would give it."""
    directory = tiny_encoder(tmp_path / "encoder")
    manifest = json.loads((directory / "manifest.json").read_text("utf-8"))
    manifest |= {"normalisation": {"version": 1}, "fingerprint": ""}
    manifest["templates"] = {"query": "query: {query}", "document": "passage: {title}\n{text}"}
    write_manifest(directory, ModelManifest.model_validate(manifest))
    texts, target = tmp_path / "texts.txt", tmp_path / "vectors.npy"
    texts.write_text("國有企業\n水稻\n", "utf-8")
    options = ["--encoder", str(directory), "--precision", "fp32"]
    encoder = open_encoder(directory, _FP32)
    for more, expected in (
        ([], encoder.encode(["passage: 国有企业", "passage: 水稻"])),
        (["--queries"], encoder.encode_queries(["国有企业", "水稻"])),
    ):
        result = CliRunner().invoke(app, ["vectors", str(texts), str(target), *options, *more])
        assert result.exit_code == 0, result.output
        assert np.allclose(np.load(target), expected, atol=1e-6)
    extract(DocumentFile(texts), tmp_path / "extracted", encoder)
    result = CliRunner().invoke(app, ["vectors", str(texts), str(target), *options])
    extracted = np.load(tmp_path / "extracted" / "part-000000.npy")
    assert np.allclose(np.load(target), extracted, atol=1e-6)


@pytest.mark.parametrize("lines", [0, 1, 2, 7, 12])
def test_vectors_are_written_block_by_block(
    lines: int, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "_BLOCK", 2)
    sizes: list[int] = []

    def counted(encoder: Encoder, texts: Sequence[str], *, queries: bool) -> FloatArray:
        sizes.append(len(texts))
        return text_vectors(encoder, texts, queries=queries)

    monkeypatch.setattr(predict, "text_vectors", counted)
    texts, target, whole = (tmp_path / name for name in ("texts.txt", "v.npy", "whole.npy"))
    texts.write_text("".join(f"第{at}行\n" for at in range(lines)), "utf-8")
    options = ["--encoder", str(models / "encoder"), "--precision", "fp32"]
    result = CliRunner().invoke(app, ["vectors", str(texts), str(target), *options])
    assert result.exit_code == 0, result.output
    assert max(sizes, default=0) <= 2
    encoder = open_encoder(models / "encoder", _FP32)
    np.save(whole, encoder.encode([f"第{at}行" for at in range(lines)]))
    assert np.allclose(np.load(target), np.load(whole), atol=1e-6)
    assert target.stat().st_size == whole.stat().st_size
    assert np.load(target, mmap_mode="r").shape == (lines, DIMENSION)
    # What was there stays if the texts cannot be read.
    before = target.read_bytes()
    texts.write_bytes("第一行\n第二行\n".encode() + b"\xff\n")
    result = CliRunner().invoke(app, ["vectors", str(texts), str(target), *options])
    assert (result.exit_code, target.read_bytes()) == (1, before)
    assert not [*tmp_path.glob(".*.partial")]


def test_vectors_are_written_to_the_file_that_was_named(models: Path, tmp_path: Path) -> None:
    texts, target = tmp_path / "texts.txt", tmp_path / "new" / "vectors"
    texts.write_text("甲\n乙\n", "utf-8")
    options = ["vectors", str(texts), str(target), "--encoder", str(models / "encoder")]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    assert len(np.load(target)) == 2
    assert [path.name for path in target.parent.iterdir()] == ["vectors"]


def test_a_missing_model_is_one_clear_line(pairs: Path, tmp_path: Path) -> None:
    options = ["--encoder", str(tmp_path / "none")]
    result = CliRunner().invoke(app, ["pairs", str(pairs), *options])
    assert result.exit_code == 1
    assert "manifest.json" in result.stderr
    assert result.stderr.count("\n") == 1
