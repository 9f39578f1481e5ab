"""`import onnx`: programs of others are served with the vectors and scores that they mean."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic
from typer.testing import CliRunner

from services.common.engine import open_encoder, open_ranker
from services.common.model_dir import load_manifest
from tests.models import tiny_encoder
from training.cli import convert
from training.failures import ModelUnknown
from training.networks.source import read_source

pytestmark = pytest.mark.filterwarnings("ignore")

_WIDTH, _LONGEST = 8, 32
_TEXTS = ["国有企业改革", "海洋", "semantic search"]
_PAD = 1


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A token a character, `<pad>` is 1."""
    folder = tiny_encoder(tmp_path_factory.mktemp("models") / "encoder", paddle=True)
    return (folder / "tokenizer.json").read_bytes()


@pytest.fixture(scope="module")
def weights() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {
        "words": rng.standard_normal((22_000, _WIDTH)).astype(np.float32),
        "places": rng.standard_normal((_LONGEST, _WIDTH)).astype(np.float32),
        "mixed": rng.standard_normal((_WIDTH, _WIDTH)).astype(np.float32),
        "classes": rng.standard_normal((_WIDTH, 2)).astype(np.float32),
    }


def _program(
    path: Path, weights: dict[str, Any], output: str, *, mask: bool = True, kind: int = 7
) -> None:
    """States are word and place through a matrix; then a vector or two classes of the first."""
    inputs = ["input_ids", "attention_mask"] if mask else ["input_ids"]
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["word"]),
        helper.make_node("Shape", ["input_ids"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["count"]),
        helper.make_node("Range", ["zero", "count", "one"], ["steps"]),
        helper.make_node("Gather", ["places", "steps"], ["place"]),
        helper.make_node("Add", ["word", "place"], ["state"]),
        helper.make_node("MatMul", ["state", "mixed"], ["last_hidden_state"]),
        helper.make_node("Gather", ["last_hidden_state", "zero"], ["first"], axis=1),
        helper.make_node("MatMul", ["first", "classes"], ["logits"]),
        helper.make_node("Identity", ["first"], ["sentence_embedding"]),
    ]
    numbers = weights | {"zero": np.array(0, np.int64), "one": np.array(1, np.int64)}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, ["b", "t"]) for name in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in numbers.items()],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(onnx.shape_inference.infer_shapes(model), path)


def _states(weights: dict[str, Any], ids: list[int]) -> Any:
    return (weights["words"][ids] + weights["places"][: len(ids)]) @ weights["mixed"]


def _imported(source: Path, target: Path, *options: str) -> Path:
    given = ["onnx", str(source), str(target), "--max-tokens", str(_LONGEST), *options]
    result = CliRunner().invoke(convert.app, given)
    assert result.exit_code == 0, result.output
    return target


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize(("mask", "kind"), [(True, TensorProto.INT64), (False, TensorProto.INT32)])
def test_token_states_become_unit_vectors(
    pooling: str, mask: bool, kind: int, weights: dict[str, Any], tokenizer: bytes, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    _program(source / "onnx" / "model.onnx", weights, "last_hidden_state", mask=mask, kind=kind)
    (source / "tokenizer.json").write_bytes(tokenizer)
    model = open_encoder(
        _imported(source, tmp_path / "model", "--pooling", pooling, "--query-prefix", "问")
    )
    assert (model.dimension, model.manifest.pad_id, model.precision) == (_WIDTH, _PAD, "fp32")
    expected = []
    for tokens in model.document_tokens(_TEXTS):
        states = _states(weights, tokens.ids)
        vector = states.mean(axis=0) if pooling == "mean" else states[0]
        expected.append(vector / np.linalg.norm(vector))
    # Texts of several lengths share a pass, so padding must count for nothing.
    assert np.allclose(model.encode(_TEXTS), expected, atol=1e-5)
    assert np.allclose(model.encode_queries(["海洋"]), model.encode(["问海洋"]), atol=1e-6)
    with pytest.raises(ModelUnknown, match="training cannot start"):
        read_source(tmp_path / "model")


def test_vectors_of_the_program_itself_win(
    weights: dict[str, Any], tokenizer: bytes, tmp_path: Path
) -> None:
    _program(tmp_path / "source" / "model.onnx", weights, "sentence_embedding")
    (tmp_path / "source" / "tokenizer.json").write_bytes(tokenizer)
    model = open_encoder(_imported(tmp_path / "source", tmp_path / "model"))
    (tokens,) = model.document_tokens(["海洋"])
    first = _states(weights, tokens.ids)[0]
    assert np.allclose(model.encode(["海洋"])[0], first / np.linalg.norm(first), atol=1e-5)


def test_two_classes_are_one_score(
    weights: dict[str, Any], tokenizer: bytes, tmp_path: Path
) -> None:
    _program(tmp_path / "source" / "model.onnx", weights, "logits")
    (tmp_path / "source" / "tokenizer.json").write_bytes(tokenizer)
    model = open_ranker(_imported(tmp_path / "source", tmp_path / "model"))
    expected = [
        np.diff(_states(weights, pair.ids)[0] @ weights["classes"])[0]
        for pair in model.pair_tokens("国有", _TEXTS)
    ]
    assert np.allclose(model.score("国有", _TEXTS), expected, atol=1e-4)


def test_a_quantised_program_reads_one_text_a_pass(
    weights: dict[str, Any], tokenizer: bytes, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    _program(source / "plain.onnx", weights, "last_hidden_state")
    quantize_dynamic(source / "plain.onnx", source / "model.onnx")
    (source / "tokenizer.json").write_bytes(tokenizer)
    model = open_encoder(_imported(source, tmp_path / "model"))
    assert model.precision == "int8"
    together = model.encode(_TEXTS)
    assert np.array_equal(together, np.concatenate([model.encode([text]) for text in _TEXTS]))


def test_weights_beside_the_program_come_along(
    weights: dict[str, Any], tokenizer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of models of more than 2 GB."""
    source = tmp_path / "source"
    _program(source / "inline.onnx", weights, "last_hidden_state")
    onnx.save(
        onnx.load(source / "inline.onnx"), source / "model.onnx", save_as_external_data=True,
        location="model.onnx_data",
    )  # fmt: skip
    (source / "tokenizer.json").write_bytes(tokenizer)
    small = open_encoder(_imported(source, tmp_path / "small")).encode(_TEXTS)
    monkeypatch.setattr("training.export.onnx_form._INLINE_BYTES", 1000)
    large = _imported(source, tmp_path / "large")
    assert load_manifest(large).files.weights.file == "model.onnx.data"
    assert np.array_equal(open_encoder(large).encode(_TEXTS), small)


def test_what_cannot_be_imported_is_one_line(
    weights: dict[str, Any], tokenizer: bytes, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()

    def refused(*options: str) -> str:
        given = ["onnx", str(source), str(tmp_path / "never"), *options]
        result = CliRunner().invoke(convert.app, given)
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 1
        assert not (tmp_path / "never").exists()
        return result.stderr

    assert "has no tokenizer.json" in refused()
    (source / "tokenizer.json").write_bytes(tokenizer)
    assert "name the program by --file" in refused()
    (source / "model.onnx").write_bytes(b"no program")
    assert "cannot be read as ONNX" in refused()
    _program(source / "model.onnx", weights, "last_hidden_state")
    assert "cannot read 256 tokens; give a smaller --max-tokens" in refused()
    assert "no pooling 'max'" in refused("--pooling", "max")
    assert "pooler pooling needs" in refused("--pooling", "pooler", "--max-tokens", "32")
    model = onnx.load(source / "model.onnx")
    model.graph.input[1].name = "pixel_values"
    onnx.save(model, source / "model.onnx")
    assert "reads input_ids, pixel_values" in refused()
