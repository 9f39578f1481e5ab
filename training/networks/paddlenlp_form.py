"""Reads checkpoints as PaddleNLP writes them: with a configuration of their own, or with weights
alone.

Its neural search examples save a body under `ptm.`, a pooler with tanh, and a head: a linear layer
that reduces the vectors (SimCSE, in-batch negatives), one that scores a pair (`similarity`, the
margin ranking loss), or one with two classes (`classifier`). None of them saves a configuration.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from paddlenlp.transformers import (
    ErnieConfig,
    ErnieEncoder,
    ErnieForMaskedLM,
    ErnieGramConfig,
    ErnieGramModel,
    ErnieModel,
)
from paddlenlp.utils.env import MODEL_HOME
from paddlenlp.utils.log import logger as paddlenlp_logger

from training.failures import ModelUnknown
from training.networks.weights import BODY_STATE, SavedWeights, State, listed

_GRAM = "ernie_gram"
MODEL_TYPES = ("ernie", _GRAM)
BODY_ARGUMENTS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "max_position_embeddings",
    "type_vocab_size",
    "task_type_vocab_size",
    "use_task_id",
    "task_id",
    "initializer_range",
    "pad_token_id",
    "norm_epsilon",
)
"""Arguments that decide the body; the others of a configuration concern heads that are not built
here."""
_CONNECTING = ("num_attention_heads", "hidden_act")
"""Arguments that the shapes of weights do not tell."""

_GRAM_NORM_EPSILON = 1e-5
"""The epsilon of the layer norms of ERNIE-Gram and RocketQA v2; paddlenlp's ERNIE has 1e-12."""

paddlenlp_logger.set_level("ERROR")


@dataclass(frozen=True, slots=True)
class PaddlenlpModel:
    """Configuration and head of a directory; the weights of its body are read separately."""

    config: dict[str, Any]
    heads: State
    head: dict[str, Any]


def read_paddlenlp(
    name: str, weights: SavedWeights, config: dict[str, Any] | None, like: str | None
) -> PaddlenlpModel:
    """Configuration and head of weights that PaddleNLP saved. Raises ModelUnknown."""
    if config is None:
        arguments = _configuration_of(name, weights.body, like)
    else:
        first = next((item for item in config.get("init_args", ()) if isinstance(item, dict)), {})
        arguments = config | first
    _refuse_other_bodies(name, arguments)
    if arguments.get("model_type") == _GRAM or _v2(name):
        arguments["norm_epsilon"] = _GRAM_NORM_EPSILON
    arguments = {key: arguments[key] for key in BODY_ARGUMENTS if key in arguments}
    arguments["use_task_id"] = "embeddings.task_type_embeddings.weight" in weights.body
    heads, head = _head(name, weights.others)
    if _dual(name) or (head and _v2(name)):
        head = {"kind": "encoder", "dimension": None} | head | {"pooling": "cls"}
    return PaddlenlpModel(arguments, heads, head)


def fetched(name: str) -> Path:
    """The folder into which paddlenlp fetches a model that it knows by name, its head included."""
    gram = name in ErnieGramModel.pretrained_init_configuration
    if not gram and name not in ErnieModel.pretrained_init_configuration:
        raise ModelUnknown(
            f"{name} is neither a directory nor a model that paddlenlp knows, such as"
            " ernie-3.0-nano-zh; docs/training.md says where to get a start"
        )
    directory = Path(MODEL_HOME) / f"{name}-as-directory"
    if not (directory / BODY_STATE).is_file():
        if gram:
            model = ErnieGramModel.from_pretrained(name)
        elif "cross-encoder" in name:
            model = ErnieEncoder.from_pretrained(name, num_classes=2)
        elif _dual(name):
            model = ErnieModel.from_pretrained(name)
        else:
            model = ErnieForMaskedLM.from_pretrained(name)
        model.save_pretrained(str(directory))
    return directory


def _dual(name: str) -> bool:
    """Whether the name is one of RocketQA's encoders, whose vector is the first token's state."""
    return Path(name).name.endswith(("-query-encoder", "-para-encoder"))


def _v2(name: str) -> bool:
    """Whether the name is of RocketQA v2, which scores the first token's state without the
    pooler."""
    return Path(name).name.startswith("rocketqav2-")


def _configuration_of(name: str, body: State, like: str | None) -> dict[str, Any]:
    known = (
        ErnieGramConfig.pretrained_init_configuration | ErnieConfig.pretrained_init_configuration
    )
    if like is not None:
        if like not in known:
            raise ModelUnknown(f"paddlenlp knows no {like}; it knows {', '.join(sorted(known))}")
        return _completed(known[like], body)
    fitting = {
        key: completed
        for key, arguments in known.items()
        if _fits(completed := _completed(arguments, body), body)
    }
    if len({tuple(arguments[key] for key in _CONNECTING) for arguments in fitting.values()}) == 1:
        return next(iter(fitting.values()))
    fit = f"fit {listed(fitting)}, which differ" if fitting else "fit no model that paddlenlp knows"
    raise ModelUnknown(
        f"{name} has no config.json, and its weights {fit} in attention heads or activation; "
        "say which one it was trained from: `xunwen import paddlenlp --like ernie-1.0 …`"
    )


def _completed(arguments: dict[str, Any], body: State) -> dict[str, Any]:
    """A known configuration with paddlenlp's defaults and the number of layers that are saved."""
    family = ErnieGramConfig if "embedding_size" in arguments else ErnieConfig
    whole: dict[str, Any] = family(**arguments).to_dict()
    layers = {key.split(".")[2] for key in body if key.startswith("encoder.layers.")}
    return whole | {"num_hidden_layers": len(layers)}


def _fits(arguments: dict[str, Any], body: State) -> bool:
    shapes = {
        "embeddings.word_embeddings.weight": ("vocab_size", "hidden_size"),
        "embeddings.position_embeddings.weight": ("max_position_embeddings", "hidden_size"),
        "embeddings.token_type_embeddings.weight": ("type_vocab_size", "hidden_size"),
        "encoder.layers.0.linear1.weight": ("hidden_size", "intermediate_size"),
    }
    return all(
        name in body and body[name].shape == tuple(arguments.get(key) for key in keys)
        for name, keys in shapes.items()
    )


def _refuse_other_bodies(name: str, arguments: dict[str, Any]) -> None:
    """Raises ModelUnknown for a body of ERNIE-Gram that factorises embeddings or has relative ones;
    all others compute as ERNIE does."""
    size = arguments.get("embedding_size", arguments.get("hidden_size"))
    if size != arguments.get("hidden_size") or arguments.get("rel_pos_size"):
        raise ModelUnknown(
            f"{name} factorises its embeddings or has relative positions, which no network here has"
        )


def _head(name: str, others: State) -> tuple[State, dict[str, Any]]:
    """The head's weights under our names, and the content of `head.json` for it."""
    encoder: dict[str, Any] = {"kind": "encoder", "pooling": "pooler", "dimension": None}
    cross = {"kind": "ranker", "network": "cross", "pooling": "pooler"}
    if "emb_reduce_linear.weight" in others:
        weight = others["emb_reduce_linear.weight"]
        heads = {
            "projection.weight": weight,
            "projection.bias": others["emb_reduce_linear.bias"],
        }
        return heads, encoder | {"dimension": weight.shape[1], "projection_bias": True}
    if "similarity.weight" in others:
        return (
            {"score.weight": others["similarity.weight"], "score.bias": others["similarity.bias"]},
            cross,
        )
    if "classifier.weight" in others:
        return binary_score(name, others["classifier.weight"], others["classifier.bias"]), cross
    if any(key.startswith("cls.predictions.") for key in others):
        return others, {"kind": "masked"}
    return others, {}


def binary_score(name: str, weight: Any, bias: Any) -> State:
    """One score from a classifier of one or two classes, weight [hidden, classes].

    The difference of two logits is the logit of the second class's probability.
    """
    match weight.shape[1]:
        case 1:
            return {"score.weight": weight, "score.bias": bias}
        case 2:
            return {
                "score.weight": np.ascontiguousarray(weight[:, 1:] - weight[:, :1]),
                "score.bias": bias[1:] - bias[:1],
            }
        case classes:
            raise ModelUnknown(f"{name} tells {classes} classes apart; a ranker has one or two")
