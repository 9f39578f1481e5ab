"""Export: what the services open computes what was trained."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner, Result

from services.common.engine import PredictorOptions, open_encoder, open_ranker
from services.common.errors import ModelInvalid
from services.common.model_dir import load_manifest, unpack
from tests.models import tiny_encoder
from tests.training.ernie import paddle, tiny_ernie
from training.cli import quantise
from training.cli.export import app
from training.evaluation.models import encoder_at, ranker_at
from training.export import directory
from training.export.directory import ExportOptions, export, round_to_bfloat16
from training.export.parity import PROBE
from training.export.quantisation import int8
from training.export.quantisation.int8 import INT8
from training.failures import ModelUnknown, PositionsExceeded
from training.networks.directory import load_encoder, load_ranker, save_network
from training.networks.encoder import Encoder, mean_of
from training.networks.tokenization import TextCodec, load_tokenizer, save_tokenizer
from training.objectives.base import prepared
from training.objectives.inbatch import InbatchRecipe
from training.objectives.simcse import SimcseRecipe
from training.run.recipe import Recipe

# Paddle warns while it traces.
pytestmark = pytest.mark.filterwarnings("ignore")

_FP32 = PredictorOptions(threads=1, precision="fp32")


@pytest.fixture(scope="module")
def ernie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_ernie(tmp_path_factory.mktemp("ernie") / "model")


def _saved(ernie: Path, kind: str, directory: Path) -> Path:
    paddle.seed(3)
    network = (
        load_encoder(ernie, dimension=8)
        if kind == "encoder"
        else load_ranker(ernie, network="late")
    )
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
    ids, types = codec.batch(codec.documents(PROBE, 48))
    with paddle.no_grad():
        expected = network(paddle.to_tensor(ids), paddle.to_tensor(types)).numpy()
    texts = [manifest.document_text("", text) for text in PROBE]
    exported = open_encoder(target, _FP32).encode(texts)
    assert (exported * expected).sum(axis=1).min() > 0.9999  # its weights are rounded to codes
    assert np.allclose(exported, expected, atol=1e-2)


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
    # Embeddings are read from Paddle's weights and products from the shared codes.
    program = onnx.load(target / INT8, load_external_data=False)
    places = [each for each in program.graph.initializer if each.external_data]
    assert {
        entry.value for each in places for entry in each.external_data if entry.key == "location"
    } == {"inference.pdiparams", "weights.int8"}


def _stopped(*_: object) -> Any:
    """Ctrl-C in this moment."""
    raise KeyboardInterrupt


def test_an_int8_program_for_a_model_exported_before(
    ernie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = _saved(ernie, "ranker", tmp_path / "best")
    target = tmp_path / "model"
    monkeypatch.setattr(int8, "MIN_PARITY", {"fp32": 1.1, "int8": 1.1})
    monkeypatch.setattr(int8, "MOST_KEPT", 1)
    result = CliRunner().invoke(app, [str(checkpoint), str(target), "--max-tokens", "48"])
    assert result.exit_code == 0, result.output
    assert "at least 1.1 is needed" in result.stderr
    before = load_manifest(target)
    assert before.files.int8 is None
    assert not (target / INT8).exists()
    monkeypatch.undo()
    files = {path.name: path.read_bytes() for path in target.iterdir()}
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", _stopped)
        with pytest.raises(KeyboardInterrupt):
            int8.write_int8(target, PROBE)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == files, "a mixture"
    result = CliRunner().invoke(quantise.app, [str(target)])
    assert result.exit_code == 0, result.output
    after = load_manifest(target)
    assert after.files.int8 is not None
    assert after.fingerprint != before.fingerprint  # its weights were rounded to the same codes
    query, texts = PROBE[1], list(PROBE)
    exact = open_ranker(target, _FP32).score(query, texts)
    quick = open_ranker(target, PredictorOptions(threads=1, precision="int8")).score(query, texts)
    assert np.corrcoef(exact, quick)[0, 1] > 0.98


def test_a_model_that_bfloat16_spoils_is_served_in_other_precisions(
    ernie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = _saved(ernie, "ranker", tmp_path / "best")
    target = tmp_path / "model"
    monkeypatch.setitem(directory.MIN_PARITY, "bf16", 1.1)
    result = CliRunner().invoke(app, [str(checkpoint), str(target), "--max-tokens", "48"])
    assert result.exit_code == 0, result.output
    assert load_manifest(target).precisions == ("fp32", "int8")


def test_a_refused_export_leaves_what_was_there(
    ernie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = _saved(ernie, "encoder", tmp_path / "encoder")
    ranker = _saved(ernie, "ranker", tmp_path / "ranker")
    new, old = tmp_path / "models" / "new", tmp_path / "models" / "old"

    def exported(checkpoint: Path, target: Path) -> Result:
        return CliRunner().invoke(app, [str(checkpoint), str(target), "--max-tokens", "48"])

    assert exported(encoder, old).exit_code == 0
    before = load_manifest(old)
    monkeypatch.setitem(directory.MIN_PARITY, "fp32", 1.1)
    for target in (new, old):
        result = exported(ranker, target)
        assert result.exit_code == 1
        assert "to 1.0000 in fp32, at least 1.1 is needed" in result.stderr
    assert load_manifest(old) == before
    assert [path.name for path in new.parent.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("encoder", ["--calibration", "1", "0"], "only a ranker is calibrated"),
        ("ranker", ["--calibration", "0", "1"], "slope: Input should be greater than 0"),
        ("ranker", ["--calibration", "1", "nan"], "intercept: Input should be a finite number"),
        ("ranker", ["--version", ""], "version: String should have at least 1 character"),
    ],
)
def test_what_no_manifest_can_say_is_one_clear_line(
    kind: str, options: list[str], message: str, ernie: Path, tmp_path: Path
) -> None:
    checkpoint, target = _saved(ernie, kind, tmp_path / "best"), tmp_path / "model"
    result = CliRunner().invoke(app, [str(checkpoint), str(target), "--max-tokens", "48", *options])
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (1, True)
    assert message in result.stderr
    assert not target.exists()


def test_weights_come_back_from_codes(ernie: Path, tmp_path: Path) -> None:
    checkpoint = _saved(ernie, "encoder", tmp_path / "best")
    target = tmp_path / "model"
    result = CliRunner().invoke(app, [str(checkpoint), str(target), "--max-tokens", "48"])
    assert result.exit_code == 0, result.output
    manifest = load_manifest(target)
    weights = target / manifest.files.weights.file
    content = weights.read_bytes()
    weights.unlink()
    assert unpack(target).read_bytes() == content
    codes = target / "weights.int8"
    stored = codes.read_bytes()
    assert len(stored) > len(content) / 10  # all products are codes, a byte a value
    weights.unlink()
    codes.write_bytes(bytes([stored[0] ^ 1]) + stored[1:])
    with pytest.raises(ModelInvalid, match="missing or damaged"):
        unpack(target)
    codes.unlink()
    with pytest.raises(ModelInvalid, match="missing or damaged"):
        unpack(target)


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


def test_pooling_and_prefixes_of_a_plain_body(ernie: Path, tmp_path: Path) -> None:
    target = tmp_path / "model"
    options = ["--pooling", "cls", "--query-prefix", "问: ", "--document-prefix", "文: "]
    result = CliRunner().invoke(app, [str(ernie), str(target), "--max-tokens", "48", *options])
    assert result.exit_code == 0, result.output
    manifest = load_manifest(target)
    assert manifest.pooling == "cls"
    assert (manifest.query_text("国有"), manifest.document_text("国", "有")) == (
        "问: 国有",
        "文: 国\n有",
    )
    result = CliRunner().invoke(app, [str(ernie), str(target), "--pooling", "max"])
    assert (result.exit_code, "no pooling 'max'" in result.stderr) == (1, True)


def test_a_program_that_is_not_paddles_has_no_int8_form(tmp_path: Path) -> None:
    directory = tiny_encoder(tmp_path / "model")
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    result = CliRunner().invoke(quantise.app, [str(directory)])
    assert result.exit_code == 1, result.exception
    assert "computes by ONNX or at another server" in result.stderr
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_a_folder_without_a_network_is_one_clear_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(tmp_path), str(tmp_path / "model")])
    assert result.exit_code == 1
    assert "model_state.pdparams is missing" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "max_tokens is 256, and the network reads at most 128 tokens"),
        (["--max-tokens", "129"], "max_tokens is 129"),
        (["--max-tokens", "128", "--query-max-tokens", "129"], "query_max_tokens is 129"),
    ],
)
def test_more_tokens_than_positions_are_refused(
    options: list[str], message: str, ernie: Path, tmp_path: Path
) -> None:
    target = tmp_path / "model"
    result = CliRunner().invoke(app, [str(ernie), str(target), *options])
    assert (result.exit_code, result.stderr.startswith(message)) == (1, True), result.output
    assert "of at most 128" in result.stderr
    assert not target.exists()


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        (SimcseRecipe, "max_tokens"),
        (InbatchRecipe, "max_tokens"),
        (InbatchRecipe, "query_max_tokens"),
    ],
)
def test_a_recipe_of_longer_texts_than_the_network_reads_is_refused(
    recipe: type[Recipe], name: str, ernie: Path, tmp_path: Path
) -> None:
    files = {"texts": [tmp_path / "a"]} if recipe is SimcseRecipe else {"pairs": [tmp_path / "a"]}
    given = {"output": tmp_path, "model": {"source": str(ernie)}, "steps": 1, **files}
    network = load_encoder(ernie, dimension=8)
    prepared(network, recipe.model_validate(given | {name: 128}))
    with pytest.raises(PositionsExceeded, match=f"^{name} is 129, .* at most 128"):
        prepared(network, recipe.model_validate(given | {name: 129}))


def test_a_checkpoint_of_another_kind_is_not_measured(ernie: Path, tmp_path: Path) -> None:
    """A ranker without a head would score at random, and the body of a ranker makes no vectors."""
    encoder = _saved(ernie, "encoder", tmp_path / "encoder")
    ranker = _saved(ernie, "ranker", tmp_path / "ranker")
    for start in (encoder, ernie):
        with pytest.raises(ModelUnknown, match="holds no ranker, and a ranker"), ranker_at(start):
            pass
    with pytest.raises(ModelUnknown, match="holds a ranker, and an encoder"), encoder_at(ranker):
        pass


def test_a_checkpoint_is_measured_with_the_positions_that_it_has(
    ernie: Path, tmp_path: Path
) -> None:
    with encoder_at(_saved(ernie, "encoder", tmp_path / "encoder"), "fp32") as encoder:
        assert encoder.manifest.max_tokens == 128


class Masked(Encoder):
    """An encoder whose program has a mask in place of token types."""

    inputs = ("input_ids", "attention_mask")

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        states, _ = self.body(input_ids)
        vectors = mean_of(states, attention_mask.astype(states.dtype))
        assert self.projection is not None
        return paddle.nn.functional.normalize(self.projection(vectors), axis=-1)


def test_a_network_with_other_inputs_is_exported_by_its_own(ernie: Path, tmp_path: Path) -> None:
    paddle.seed(3)
    plain = load_encoder(ernie, dimension=8)
    network = Masked(plain.body, dimension=8)
    codec = TextCodec(load_tokenizer(ernie), pad_id=1)
    target = tmp_path / "model"
    options = ExportOptions("masked", "1.0.0", max_tokens=48, query_max_tokens=48)
    parity = export(network, codec, ernie, target, options, PROBE)
    assert parity["fp32"] >= 0.999
    assert load_manifest(target).inputs == ("input_ids", "attention_mask")
    exact = open_encoder(target, _FP32).encode(PROBE)
    rounded = int8.write_int8(target, PROBE)
    assert rounded["int8"] >= 0.99
    quick = open_encoder(target, PredictorOptions(threads=1, precision="int8")).encode(PROBE)
    assert (exact * quick).sum(axis=1).min() >= 0.99
