"""Tiny model directories with random weights: the real format, loaded in milliseconds."""

import warnings
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from services.common.model_dir import (
    Calibration,
    ModelFiles,
    ModelKind,
    ModelManifest,
    file_of,
    write_manifest,
)

DIMENSION = 16
_ALPHABET = [chr(code) for code in range(0x20, 0x7F)] + [chr(c) for c in range(0x4E00, 0x9FA6)]


def tiny_encoder(
    directory: Path, *, seed: int = 0, max_tokens: int = 64, ruined: bool = False
) -> Path:
    """An encoder whose vector is the mean of random vectors of the text's characters.

    With `ruined` it is one of sixteen axes: the same text has the same one, and other texts by
    chance.
    """
    return _write(directory, ModelKind.ENCODER, seed, max_tokens, ruined=ruined)


def tiny_ranker(directory: Path, *, seed: int = 0, max_tokens: int = 64) -> Path:
    """A ranker with random logits."""
    return _write(directory, ModelKind.RANKER, seed, max_tokens)


def _write(
    directory: Path, kind: ModelKind, seed: int, max_tokens: int, *, ruined: bool = False
) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    _tokenizer().save(str(directory / "tokenizer.json"))
    _export(directory, kind, seed, ruined=ruined)
    manifest = ModelManifest(
        name=f"tiny-{kind}",
        kind=kind,
        version="0",
        dimension=DIMENSION if kind is ModelKind.ENCODER else None,
        max_tokens=max_tokens,
        query_max_tokens=32,
        pooling="mean",
        pad_id=1,
        calibration=Calibration(slope=1.0, intercept=0.0) if kind is ModelKind.RANKER else None,
        files=ModelFiles(
            program=file_of(directory / "inference.pdmodel"),
            weights=file_of(directory / "inference.pdiparams"),
            tokenizer=file_of(directory / "tokenizer.json"),
        ),
    )
    write_manifest(directory, manifest)
    return directory


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
                    mean = paddle.nn.functional.softmax(mean * 1e4)
                if kind is ModelKind.RANKER:
                    return self.head(mean).squeeze(-1)
                return paddle.nn.functional.normalize(mean, axis=-1)

        layer = Tiny()
        layer.eval()
        save_program(layer, directory)
