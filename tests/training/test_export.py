"""Export: what the services open computes what was trained."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from services.common.engine import PredictorOptions, open_encoder, open_ranker
from services.common.model_dir import load_manifest
from tests.training.ernie import paddle, tiny_ernie
from training import quantise_cli
from training.export import round_to_bfloat16
from training.export_cli import app
from training.networks import load_encoder, load_ranker, save_network
from training.parity import PROBE
from training.quantisation import int8
from training.quantisation.int8 import INT8
from training.tokenization import TextCodec, load_tokenizer, save_tokenizer

# Paddle warns while it traces.
pytestmark = pytest.mark.filterwarnings("ignore")

_FP32 = PredictorOptions(threads=1, precision="fp32")


@pytest.fixture(scope="module")
def ernie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_ernie(tmp_path_factory.mktemp("ernie") / "model")


def _saved(ernie: Path, kind: str, directory: Path) -> Path:
    paddle.seed(3)
    network = load_encoder(ernie, dimension=8) if kind == "encoder" else load_ranker(ernie)
    save_network(network, directory)
    save_tokenizer(load_tokenizer(ernie), ernie, directory)
    return directory


def test_an_encoder(ernie: Path, tmp_path: Path) -> None:
    checkpoint = _saved(ernie, "encoder", tmp_path / "best")
    target = tmp_path / "model"
    result = CliRunner().invoke(
        app, [str(checkpoint), str(target), "--name", "tiny", "--max-tokens", "48"]
    )
    assert result.exit_code == 0, result.output
    manifest = load_manifest(target)
    assert (manifest.name, manifest.kind, manifest.dimension) == ("tiny", "encoder", 8)
    assert (target / "weights.packed").stat().st_size > 0
    parity = json.loads(result.stdout.partition("parity ")[2])
    assert parity["fp32"] >= 0.999
    network = load_encoder(checkpoint)
    round_to_bfloat16(network)
    network.eval()
    codec = TextCodec(load_tokenizer(checkpoint), pad_id=1)
    ids, types = codec.batch(codec.texts(PROBE, 48))
    with paddle.no_grad():
        expected = network(paddle.to_tensor(ids), paddle.to_tensor(types)).numpy()
    assert np.allclose(open_encoder(target, _FP32).encode(PROBE), expected, atol=1e-4)


def test_int8_beside_it(ernie: Path, tmp_path: Path) -> None:
    checkpoint = _saved(ernie, "encoder", tmp_path / "best")
    target = tmp_path / "model"
    result = CliRunner().invoke(app, [str(checkpoint), str(target), "--max-tokens", "48"])
    parity = json.loads(result.stdout.partition("parity ")[2])
    assert parity["int8"] >= 0.99
    manifest = load_manifest(target)
    assert "int8" in manifest.precisions
    exact = open_encoder(target, _FP32).encode(PROBE)
    quick = open_encoder(target, PredictorOptions(threads=1, precision="int8")).encode(PROBE)
    assert (exact * quick).sum(axis=1).min() == pytest.approx(parity["int8"], abs=1e-4)
    # What stays float32 is read from Paddle's weights, not written a second time.
    program = onnx.load(target / INT8, load_external_data=False)
    places = [each for each in program.graph.initializer if each.external_data]
    assert {
        entry.value for each in places for entry in each.external_data if entry.key == "location"
    } == {"inference.pdiparams"}


def test_an_int8_program_for_a_model_exported_before(
    ernie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = _saved(ernie, "ranker", tmp_path / "best")
    target = tmp_path / "model"
    monkeypatch.setattr(int8, "MIN_PARITY", 1.1)
    monkeypatch.setattr(int8, "MOST_KEPT", 1)
    result = CliRunner().invoke(app, [str(checkpoint), str(target), "--max-tokens", "48"])
    assert result.exit_code == 0, result.output
    assert "at least 1.1 is needed" in result.stderr
    before = load_manifest(target)
    assert before.files.int8 is None
    assert not (target / INT8).exists()
    monkeypatch.undo()
    result = CliRunner().invoke(quantise_cli.app, [str(target)])
    assert result.exit_code == 0, result.output
    after = load_manifest(target)
    assert after.files.int8 is not None
    assert after.fingerprint == before.fingerprint
    query, texts = PROBE[1], list(PROBE)
    exact = open_ranker(target, _FP32).score(query, texts)
    quick = open_ranker(target, PredictorOptions(threads=1, precision="int8")).score(query, texts)
    assert np.corrcoef(exact, quick)[0, 1] > 0.98


def test_a_ranker_with_its_calibration(ernie: Path, tmp_path: Path) -> None:
    checkpoint = _saved(ernie, "ranker", tmp_path / "best")
    target = tmp_path / "model"
    result = CliRunner().invoke(
        app, [str(checkpoint), str(target), "--calibration", "2.0", "-1.0", "--max-tokens", "48"]
    )
    assert result.exit_code == 0, result.output
    manifest = load_manifest(target)
    assert manifest.kind == "ranker"
    assert manifest.calibration is not None
    assert (manifest.calibration.slope, manifest.calibration.intercept) == (2.0, -1.0)
    scores = open_ranker(target, _FP32).score("国有企业", ["国有企业", "海洋生态"])
    assert scores[0] > scores[1]


def test_a_folder_without_a_network_is_one_clear_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(tmp_path), str(tmp_path / "model")])
    assert result.exit_code == 1
    assert "config.json is missing" in result.stderr
    assert result.stderr.count("\n") == 1
