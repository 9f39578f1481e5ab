"""Reads encoders and cross-encoders of the BERT family from Hugging Face directories.

BERT, RoBERTa and XLM-RoBERTa compute what an ERNIE body without task embeddings does: only the
names differ, linear weights lie transposed, and RoBERTa's positions begin after its padding.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import deserialize

from services.common.engine.predictor import FloatArray
from training.failures import ModelUnknown
from training.networks.json_file import read_json, read_object
from training.networks.paddlenlp_form import binary_score
from training.networks.pytorch_file import read_pytorch
from training.networks.weights import State, float32, listed, reading

SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
_OFFSET_POSITIONS = {"bert": False, "roberta": True, "xlm-roberta": True}
_BODY = re.compile(r"^(?:bert\.|roberta\.|model\.)?(embeddings|encoder|pooler)\.(.+)$")
_NAMES = (
    (r"^embeddings\.LayerNorm\.", "embeddings.layer_norm."),
    (r"^encoder\.layer\.(\d+)\.attention\.self\.query\.", r"encoder.layers.\1.self_attn.q_proj."),
    (r"^encoder\.layer\.(\d+)\.attention\.self\.key\.", r"encoder.layers.\1.self_attn.k_proj."),
    (r"^encoder\.layer\.(\d+)\.attention\.self\.value\.", r"encoder.layers.\1.self_attn.v_proj."),
    (
        r"^encoder\.layer\.(\d+)\.attention\.output\.dense\.",
        r"encoder.layers.\1.self_attn.out_proj.",
    ),
    (r"^encoder\.layer\.(\d+)\.attention\.output\.LayerNorm\.", r"encoder.layers.\1.norm1."),
    (r"^encoder\.layer\.(\d+)\.intermediate\.dense\.", r"encoder.layers.\1.linear1."),
    (r"^encoder\.layer\.(\d+)\.output\.dense\.", r"encoder.layers.\1.linear2."),
    (r"^encoder\.layer\.(\d+)\.output\.LayerNorm\.", r"encoder.layers.\1.norm2."),
)
_TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}


@dataclass(frozen=True, slots=True)
class HuggingfaceModel:
    """A model of the BERT family under the names of our networks."""

    config: dict[str, Any]
    body: State
    heads: State
    head: dict[str, Any]


def read_huggingface(directory: Path, config: dict[str, Any]) -> HuggingfaceModel:
    """The model of a directory with `config.json` and weights. Raises ModelUnknown."""
    kind = config.get("model_type")
    if (
        kind not in _OFFSET_POSITIONS
        or config.get("position_embedding_type", "absolute") != "absolute"
    ):
        raise ModelUnknown(
            f"{directory} is of the type {kind} with {config.get('position_embedding_type')} "
            f"positions; the types that load are {', '.join(_OFFSET_POSITIONS)} with absolute ones"
        )
    body, others = _split(_read_weights(directory))
    pad = int(config.get("pad_token_id") or 0)  # Some configurations have null.
    positions = "embeddings.position_embeddings.weight"
    if _OFFSET_POSITIONS[kind] and positions in body:
        body[positions] = np.ascontiguousarray(body[positions][pad + 1 :])
    heads, head = _head(directory, body, others)
    arguments = {
        key: config[key]
        for key in (
            "vocab_size",
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "hidden_act",
            "type_vocab_size",
        )
        if key in config
    } | {
        "pad_token_id": pad,
        "max_position_embeddings": len(body.get(positions, ())),
        "norm_epsilon": config.get("layer_norm_eps", 1e-12),
    }
    return HuggingfaceModel(arguments, body, heads, head)


def _read_weights(directory: Path) -> State:
    if (directory / SAFE).is_file():
        with reading(directory / SAFE) as path:
            return {
                name: _array(content)
                for name, content in deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
            }
    if (directory / PICKLED).is_file():
        return read_pytorch(directory / PICKLED)
    raise ModelUnknown(f"{directory} has neither {SAFE} nor {PICKLED}")


def _array(content: dict[str, Any]) -> FloatArray:
    kind, shape = content["dtype"], content["shape"]
    if kind not in _TYPES:  # Other arrays are buffers of integers, such as position ids.
        return np.empty(0, np.float32)
    return float32(np.frombuffer(content["data"], _TYPES[kind])).reshape(shape)


def _split(state: State) -> tuple[State, State]:
    """The body's weights by ERNIE's names, and all others, with linear ones transposed for
    Paddle."""
    body: State = {}
    others: State = {}
    for name, value in state.items():
        if name.endswith("position_ids"):
            continue
        matched = _BODY.match(name)
        if matched is None:
            others[name] = _turned(name, value)
            continue
        renamed = f"{matched[1]}.{matched[2]}"
        for pattern, replacement in _NAMES:
            renamed = re.sub(pattern, replacement, renamed)
        body[renamed] = value if renamed.startswith("embeddings.") else _turned(renamed, value)
    if not body:
        raise ModelUnknown(
            f"the weights have no body of the BERT family; they have {listed(state)}"
        )
    return body, others


def _turned(name: str, value: FloatArray) -> FloatArray:
    """A linear weight [out, in] turned into Paddle's form [in, out]; any other weight as it is."""
    return np.ascontiguousarray(value.T) if name.endswith("weight") and value.ndim == 2 else value


def _head(directory: Path, body: State, others: State) -> tuple[State, dict[str, Any]]:
    cross = {"kind": "ranker", "network": "cross", "pooling": "pooler"}
    if "classifier.out_proj.weight" in others:  # RoBERTa's head is a pooler with tanh and a score.
        body["pooler.dense.weight"] = others["classifier.dense.weight"]
        body["pooler.dense.bias"] = others["classifier.dense.bias"]
        weight, bias = others["classifier.out_proj.weight"], others["classifier.out_proj.bias"]
        return binary_score(str(directory), weight, bias), cross
    if "classifier.weight" in others:
        weight, bias = others["classifier.weight"], others["classifier.bias"]
        return binary_score(str(directory), weight, bias), cross
    return {}, {"kind": "encoder", "pooling": noted_pooling(directory), "dimension": None}


def noted_pooling(directory: Path) -> str:
    """The pooling that sentence-transformers noted; the mean if it noted none."""
    for module in read_json(directory / "modules.json") or ():
        kind = str(module.get("type") if isinstance(module, dict) else module)
        if kind.rpartition(".")[2] not in ("Transformer", "Pooling", "Normalize"):
            raise ModelUnknown(f"{directory} has a module {kind}, which no network here has")
    noted = read_object(directory / "1_Pooling" / "config.json") or {}
    if noted.get("pooling_mode_cls_token"):
        return "cls"
    if noted and not noted.get("pooling_mode_mean_tokens"):
        raise ModelUnknown(f"{directory} pools neither the first token nor the mean")
    return "mean"
