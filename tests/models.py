"""Tiny model directories with random weights: the real format, loaded in milliseconds."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from services.common.model_dir import (
    INPUTS,
    Calibration,
    ModelFiles,
    ModelKind,
    ModelManifest,
    file_of,
    write_manifest,
)

DIMENSION = 16
_ALPHABET = [chr(code) for code in range(0x20, 0x7F)] + [chr(c) for c in range(0x4E00, 0x9FA6)]
_SPREAD = 0.01
"""Standard deviation of the values of characters, which is Paddle's for so many."""
_SHARPNESS = 1e4
"""Factor before the softmax of a ruined encoder, after which one axis is left."""


def tiny_encoder(
    directory: Path,
    *,
    seed: int = 0,
    max_tokens: int = 64,
    ruined: bool = False,
    paddle: bool = False,
) -> Path:
    """An encoder whose vector is the mean of random vectors of the text's characters.

    With `ruined` it is one of sixteen axes: the same text has the same one, and other texts by
    chance. Its program is one of ONNX, which starts as fast as the shipped models do, or with
    `paddle` one of Paddle, whose import takes a second.
    """
    return _write(directory, ModelKind.ENCODER, seed, max_tokens, ruined=ruined, paddle=paddle)


def tiny_ranker(
    directory: Path, *, seed: int = 0, max_tokens: int = 64, paddle: bool = False
) -> Path:
    """A ranker with random logits."""
    return _write(directory, ModelKind.RANKER, seed, max_tokens, paddle=paddle)


def _write(
    directory: Path,
    kind: ModelKind,
    seed: int,
    max_tokens: int,
    *,
    ruined: bool = False,
    paddle: bool = False,
) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    _tokenizer().save(str(directory / "tokenizer.json"))
    if paddle:
        _export(directory, kind, seed, ruined=ruined)
        program, weights = "inference.pdmodel", "inference.pdiparams"
    else:
        program = weights = "model.onnx"
        onnx.save(_program(kind, seed, ruined=ruined), directory / program)
    manifest = ModelManifest(
        name=f"tiny-{kind}",
        kind=kind,
        version="0",
        dimension=DIMENSION if kind is ModelKind.ENCODER else None,
        max_tokens=max_tokens,
        query_max_tokens=32,
        pooling="mean",
        pad_id=1,
        precisions=("fp32", "bf16") if paddle else ("fp32",),
        calibration=Calibration(slope=1.0, intercept=0.0) if kind is ModelKind.RANKER else None,
        files=ModelFiles(
            program=file_of(directory / program),
            weights=file_of(directory / weights),
            tokenizer=file_of(directory / "tokenizer.json"),
        ),
    )
    write_manifest(directory, manifest)
    return directory


def _program(kind: ModelKind, seed: int, *, ruined: bool) -> onnx.ModelProto:
    """The network of `_export` with other random weights."""
    random = np.random.default_rng(seed)
    embedding = _SPREAD * random.standard_normal((len(_ALPHABET) + 4, DIMENSION))
    values: dict[str, np.ndarray[Any, Any]] = {
        "embedding": embedding.astype(np.float32),
        "head": random.standard_normal((DIMENSION, 1)).astype(np.float32),
        "pad": np.array(1, np.int64),
        "zero": np.array(0, np.int64),
        "tokens": np.array([1], np.int64),
        "last": np.array([2], np.int64),
        "one": np.array([1], np.int64),
        "sharpness": np.array(_SHARPNESS, np.float32),
    }
    nodes = [
        ("Mul", ["token_type_ids", "zero"], "nothing"),
        ("Add", ["input_ids", "nothing"], "ids"),
        ("Gather", ["embedding", "ids"], "states"),
        ("Equal", ["input_ids", "pad"], "padding"),
        ("Not", ["padding"], "present"),
        ("Cast", ["present"], "weights"),
        ("Unsqueeze", ["weights", "last"], "mask"),
        ("Mul", ["states", "mask"], "kept"),
        ("ReduceSum", ["kept", "tokens"], "sum"),
        ("ReduceSum", ["mask", "tokens"], "count"),
        ("Div", ["sum", "count"], "mean"),
    ]
    if ruined:
        nodes += [("Mul", ["mean", "sharpness"], "sharp"), ("Softmax", ["sharp"], "axis")]
    if kind is ModelKind.RANKER:
        nodes += [("MatMul", ["mean", "head"], "logits"), ("Squeeze", ["logits", "one"], "output")]
    else:
        nodes += [("LpNormalization", ["axis" if ruined else "mean"], "output")]
    attributes: dict[str, dict[str, Any]] = {
        "Cast": {"to": TensorProto.FLOAT},
        "ReduceSum": {"keepdims": 0},
        "Softmax": {"axis": -1},
        "LpNormalization": {"axis": -1, "p": 2},
    }
    shape: list[str | int] = ["rows"] if kind is ModelKind.RANKER else ["rows", DIMENSION]
    graph = helper.make_graph(
        [
            helper.make_node(op, given, [made], **attributes.get(op, {}))
            for op, given, made in nodes
        ],
        "tiny",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "columns"])
            for name in INPUTS
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def _tokenizer() -> Tokenizer:
    """One token per character, in the sequence form of the shipped models."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = {token: index for index, token in enumerate(special + _ALPHABET)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B:0 </s>:0",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return tokenizer


def _export(directory: Path, kind: ModelKind, seed: int, *, ruined: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Paddle warns at import and while it traces
        import paddle

        from training.export.program import save_program

        paddle.seed(seed)

        class Tiny(paddle.nn.Layer):
            def __init__(self) -> None:
                super().__init__()
                size = len(_ALPHABET) + 4
                self.embedding = paddle.nn.Embedding(size, DIMENSION)
                self.head = paddle.nn.Linear(DIMENSION, 1)

            def forward(self, input_ids: Any, token_type_ids: Any) -> Any:
                states = self.embedding(input_ids + 0 * token_type_ids)
                mask = (input_ids != 1).astype("float32").unsqueeze(-1)
                mean = (states * mask).sum(1) / mask.sum(1)
                if ruined:
                    mean = paddle.nn.functional.softmax(mean * _SHARPNESS)
                if kind is ModelKind.RANKER:
                    return self.head(mean).squeeze(-1)
                return paddle.nn.functional.normalize(mean, axis=-1)

        layer = Tiny()
        layer.eval()
        save_program(layer, directory)
