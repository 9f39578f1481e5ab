"""Trained networks on disk: directories that later stages, export and paddlenlp can load."""

import json
from pathlib import Path
from typing import Any

import paddle
from paddle import Tensor

from training.backbone import Encoder, Pooling, load_body
from training.ranker import Ranker
from training.tokenization import load_tokenizer, separator_id

HEAD_FILE, HEAD_STATE, BODY_STATE = "head.json", "head.pdparams", "model_state.pdparams"
_BODY = "body."


def save_network(network: Encoder | Ranker, directory: Path) -> None:
    """`config.json`, `model_state.pdparams` as paddlenlp's `ErnieModel` has them, and the head."""
    directory.mkdir(parents=True, exist_ok=True)
    network.body.config.save_pretrained(str(directory))
    state = network.state_dict()
    body = {
        name.removeprefix(_BODY): value for name, value in state.items() if name.startswith(_BODY)
    }
    head = {name: value for name, value in state.items() if not name.startswith(_BODY)}
    paddle.save(body, str(directory / BODY_STATE))
    paddle.save(head, str(directory / HEAD_STATE))
    described: dict[str, Any]
    if isinstance(network, Encoder):
        projected = network.projection is not None
        described = {
            "kind": "encoder",
            "pooling": network.pooling,
            "dimension": network.dimension if projected else None,
        }
    else:
        described = {"kind": "ranker", "joint_layers": network.joint_layers}
    (directory / HEAD_FILE).write_text(json.dumps(described) + "\n", encoding="utf-8")


def load_encoder(
    source: str | Path,
    *,
    dropout: float = 0.0,
    layers: int | None = None,
    pooling: Pooling = "mean",
    dimension: int | None = None,
) -> Encoder:
    """An encoder over `source`; a head saved there wins over `pooling` and `dimension`."""
    saved = _saved_head(source, "encoder")
    if saved is not None:
        pooling, dimension = saved["pooling"], saved["dimension"]
    body = load_body(source, dropout=dropout, layers=layers)
    encoder = Encoder(body, pooling=pooling, dimension=dimension)
    if saved is not None and dimension is not None:
        _restore_head(encoder, source)
    return encoder


def load_ranker(
    source: str | Path,
    *,
    dropout: float = 0.0,
    layers: int | None = None,
    joint_layers: int = 1,
) -> Ranker:
    """A ranker over `source`; a ranker's head saved there is used, else it starts afresh."""
    saved = _saved_head(source, "ranker")
    if saved is not None:
        joint_layers = saved["joint_layers"]
    body = load_body(source, dropout=dropout, layers=layers)
    separator = separator_id(load_tokenizer(source))
    ranker = Ranker(body, separator_id=separator, joint_layers=joint_layers)
    if saved is not None:
        _restore_head(ranker, source)
    return ranker


def kind_of(source: str | Path) -> str | None:
    """`encoder` or `ranker`; None where no head was saved, as in a plain ERNIE directory."""
    path = Path(source) / HEAD_FILE
    if not path.is_file():
        return None
    kind: str = json.loads(path.read_text(encoding="utf-8"))["kind"]
    return kind


def _saved_head(source: str | Path, kind: str) -> dict[str, Any] | None:
    path = Path(source) / HEAD_FILE
    if not path.is_file():
        return None
    described: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return described if described["kind"] == kind else None


def _restore_head(network: Encoder | Ranker, source: str | Path) -> None:
    head: dict[str, Tensor] = paddle.load(str(Path(source) / HEAD_STATE))
    state = network.state_dict()
    network.set_state_dict({name: head.get(name, value) for name, value in state.items()})
