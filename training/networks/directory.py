"""Trained networks on disk: directories that later stages, export and paddlenlp can load.

`config.json` and `model_state.pdparams` are a body as paddlenlp's `ErnieModel` has it; `head.json`
describes the head on the body, and `head.pdparams` holds its weights.
"""

import json
import logging
from pathlib import Path
from typing import Any, Literal

import paddle

from training.failures import ModelUnknown
from training.networks.body import Layers, build_body
from training.networks.cross_encoder import CrossEncoder
from training.networks.encoder import Encoder, Pooling
from training.networks.late_interaction import LateInteraction
from training.networks.masked import MaskedLanguageModel, prediction_head
from training.networks.source import HEAD_FILE, HEAD_STATE, Source, read_source
from training.networks.tokenization import TextCodec, load_tokenizer, save_tokenizer, separator_id
from training.networks.weights import BODY_STATE, fill

log = logging.getLogger(__name__)

_BODY = "body."

RankNetwork = Literal["cross", "late"]
Ranker = CrossEncoder | LateInteraction
Network = Encoder | Ranker | MaskedLanguageModel


def save_network(network: Network, directory: Path) -> None:
    """Writes body and head to `directory`, which is made if it does not exist."""
    directory.mkdir(parents=True, exist_ok=True)
    network.body.config.save_pretrained(str(directory))
    state = network.state_dict()
    body = {
        name.removeprefix(_BODY): value for name, value in state.items() if name.startswith(_BODY)
    }
    head = {name: value for name, value in state.items() if not name.startswith(_BODY)}
    paddle.save(body, str(directory / BODY_STATE))
    if head:
        paddle.save(head, str(directory / HEAD_STATE))
    text = json.dumps(describe(network), ensure_ascii=False)
    (directory / HEAD_FILE).write_text(text + "\n", encoding="utf-8")


def save_with_tokenizer(network: Network, codec: TextCodec, source: str | Path, to: Path) -> None:
    """Writes a network and the tokenizer of the model that it started from into one directory."""
    save_network(network, to)
    save_tokenizer(codec.tokenizer, source, to)


def load_encoder(
    source: str | Path | Source,
    *,
    dropout: float = 0.0,
    layers: Layers = None,
    pooling: Pooling = "mean",
    dimension: int | None = None,
) -> Encoder:
    """An encoder over `source`; a saved head there takes precedence over `pooling` and `dimension`.

    Raises ModelUnknown, as the other functions that load do.
    """
    read = _read(source)
    saved = read.head.get("kind") == "encoder"
    if saved:
        pooling, dimension = read.head["pooling"], read.head["dimension"] or dimension
    _require_pooler(read, pooling)
    encoder = Encoder(
        build_body(read, dropout=dropout, layers=layers),
        pooling=pooling,
        dimension=dimension,
        projection_bias=read.head.get("projection_bias", False),
        prefixes=read.prefixes,
    )
    if saved and read.head["dimension"] is not None:
        fill(encoder, read.heads, f"{read.name} (head)", ignored=(_BODY,))
    return encoder


def load_ranker(
    source: str | Path | Source,
    *,
    dropout: float = 0.0,
    layers: Layers = None,
    network: RankNetwork = "cross",
    pooling: Pooling = "mean",
    joint_layers: int = 1,
) -> Ranker:
    """A ranker over `source`; a saved ranker is used as it is, otherwise the head starts anew."""
    read = _read(source)
    saved = read.head.get("kind") == "ranker"
    if saved:
        # Rankers saved before `network` was written are of the only kind of that time.
        network = read.head.get("network", "late")
        pooling = read.head.get("pooling", pooling)
        joint_layers = read.head.get("joint_layers", joint_layers)
    _require_pooler(read, pooling)
    body = build_body(read, dropout=dropout, layers=layers)
    ranker: Ranker
    if network == "cross":
        ranker = CrossEncoder(body, pooling=pooling, prefixes=read.prefixes)
    else:
        separator = separator_id(load_tokenizer(read.name))
        ranker = LateInteraction(
            body, separator_id=separator, joint_layers=joint_layers, prefixes=read.prefixes
        )
    if saved:
        fill(ranker, read.heads, f"{read.name} (head)", ignored=(_BODY,))
    return ranker


def load_masked(
    source: str | Path | Source, *, dropout: float = 0.0, layers: Layers = None
) -> MaskedLanguageModel:
    """A body under its own prediction head, or under a new one if none is saved."""
    read = _read(source)
    network = MaskedLanguageModel(
        build_body(read, dropout=dropout, layers=layers), prefixes=read.prefixes
    )
    weights = prediction_head(read.heads)
    if weights:
        fill(network.predictions, weights, f"{read.name} (prediction head)")
    else:
        log.info("%s has no prediction head: a new one is trained", read.name)
    return network


def load_network(source: str | Path | Source) -> Network:
    """The network that a directory was saved as; a bare body is an encoder without a projection."""
    read = _read(source)
    match read.head.get("kind"):
        case "ranker":
            return load_ranker(read)
        case "masked":
            return load_masked(read)
        case _:
            return load_encoder(read)


def load_codec(source: str | Path, network: Network) -> TextCodec:
    """The tokenizer of `source` for a network that was loaded from there. Raises ModelUnknown."""
    tokenizer, config = load_tokenizer(source), network.body.config
    highest = max(tokenizer.get_vocab().values())
    if highest >= config.vocab_size:
        raise ModelUnknown(
            f"the tokenizer of {source} has ids up to {highest:,}, but there are word embeddings"
            f" for {config.vocab_size:,} only; the vocabulary is that of another model"
        )
    return TextCodec(tokenizer, config.pad_token_id, network.prefixes)


def describe(network: Network) -> dict[str, Any]:
    """The content of `head.json` for a network: its kind, its pooling, its prefixes."""
    return _description(network) | {
        "query_prefix": network.prefixes.query,
        "document_prefix": network.prefixes.document,
    }


def _description(network: Network) -> dict[str, Any]:
    match network:
        case Encoder():
            projection = network.projection
            return {
                "kind": "encoder",
                "pooling": network.pooling,
                "dimension": network.dimension if projection is not None else None,
                "projection_bias": projection is not None and projection.bias is not None,
            }
        case CrossEncoder():
            return {"kind": "ranker", "network": "cross", "pooling": network.pooling}
        case LateInteraction():
            return {"kind": "ranker", "network": "late", "joint_layers": network.joint_layers}
        case MaskedLanguageModel():
            return {"kind": "masked"}


def _read(source: str | Path | Source) -> Source:
    return source if isinstance(source, Source) else read_source(source)


def _require_pooler(read: Source, pooling: Pooling) -> None:
    if pooling == "pooler" and "pooler.dense.weight" not in read.body:
        raise ModelUnknown(f"{read.name} has no pooler; choose the pooling mean or cls")
