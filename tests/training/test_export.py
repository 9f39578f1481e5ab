"""Export: what the services open computes what was trained."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from services.common.engine import PredictorOptions, open_encoder, open_ranker
from services.common.model_dir import load_manifest
from tests.training.ernie import paddle, tiny_ernie
from training.export import PROBE, round_to_bfloat16
from training.export_cli import app
from training.networks import load_encoder, load_ranker, save_network
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
