"""The head that serving expects behind a foreign ONNX program, added to the program's own graph.

Token states become one unit vector for each text; the logits of one or two classes become one score
for each pair.
"""

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from services.common.model_dir import ModelKind
from training.failures import ModelUnknown
from training.networks.huggingface_form import noted_pooling

_OUTPUT = "xunwen_output"
_TOKEN_STATES, _SENTENCES = ("last_hidden_state", "token_embeddings"), ("sentence_embedding",)


def add_head(
    model: Any, outputs: dict[str, Any], source: Path, pooling: str | None, pad_id: int
) -> tuple[ModelKind, int, Any]:
    """Adds the head to the program; returns kind, width and pooling.

    `outputs` are the program's answers to some texts, by name. Raises ModelUnknown if these are
    neither token states, nor vectors, nor scores.
    """
    ranks = {name: np.ndim(value) for name, value in outputs.items()}
    nodes: list[Any] = []
    if _scores(outputs):
        name = next(iter(_scores(outputs)))
        kind, width, used = ModelKind.RANKER, 0, pooling or "mean"
        classes = outputs[name].shape[1] if ranks[name] == 2 else 0
        nodes += _score(name, classes)
    else:
        states = next((name for name in (*_TOKEN_STATES, *ranks) if ranks.get(name) == 3), None)
        whole = next((name for name in (*_SENTENCES, *ranks) if ranks.get(name) == 2), None)
        ready = pooling == "pooler" or (pooling is None and (whole in _SENTENCES or states is None))
        if whole is not None and ready:
            answered = whole
            used = "pooler" if pooling == "pooler" else "mean"
            nodes.append(helper.make_node("Identity", [whole], ["xunwen_pooled"]))
        elif states is not None and pooling != "pooler":
            answered, used = states, pooling or noted_pooling(source)
            mask = any(item.name == "attention_mask" for item in model.graph.input)
            nodes += _pooled(states, used, with_mask=mask, pad_id=pad_id)
        else:
            raise ModelUnknown(
                f"{source}: the program answers {_listed(outputs)}; {pooling or 'mean'} pooling"
                " needs token states [texts, tokens, width] or a vector a text"
            )
        kind, width = ModelKind.ENCODER, int(outputs[answered].shape[-1])
        nodes += [
            helper.make_node("Cast", ["xunwen_pooled"], ["xunwen_wide"], to=TensorProto.FLOAT),
            helper.make_node("LpNormalization", ["xunwen_wide"], [_OUTPUT], axis=-1, p=2),
        ]
    graph = model.graph
    graph.node.extend(nodes)
    shape: list[str | int | None] = ["texts"] if kind is ModelKind.RANKER else ["texts", width]
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(_OUTPUT, TensorProto.FLOAT, shape))
    return kind, width, used


def _scores(outputs: dict[str, Any]) -> list[str]:
    """Names of outputs that hold a score, or the logits of two classes, for each pair."""
    return [
        name
        for name, value in outputs.items()
        if np.ndim(value) == 1 or (np.ndim(value) == 2 and value.shape[1] <= 2)
    ]


def _score(name: str, classes: int) -> list[Any]:
    """The nodes of a score: of two classes the difference of their logits, of one its logit."""
    nodes = [helper.make_node("Cast", [name], ["xunwen_logits"], to=TensorProto.FLOAT)]
    logits = "xunwen_logits"
    if classes == 2:
        nodes += [
            _constant("xunwen_difference", np.array([[-1.0], [1.0]], np.float32)),
            helper.make_node("MatMul", [logits, "xunwen_difference"], ["xunwen_logit"]),
        ]
        logits = "xunwen_logit"
    return [
        *nodes,
        _constant("xunwen_row", np.array([-1], np.int64)),
        helper.make_node("Reshape", [logits, "xunwen_row"], [_OUTPUT]),
    ]


def _pooled(states: str, pooling: str, *, with_mask: bool, pad_id: int) -> list[Any]:
    """The nodes that pool token states [texts, tokens, width] to [texts, width].

    The result may have any length, since it is normalised afterwards.
    """
    if pooling == "cls":
        return [
            _constant("xunwen_first", np.array(0, np.int64)),
            helper.make_node("Gather", [states, "xunwen_first"], ["xunwen_pooled"], axis=1),
        ]
    if with_mask:
        present = "attention_mask"
        nodes = []
    else:
        present = "xunwen_present"
        nodes = [
            _constant("xunwen_pad", np.array(pad_id, np.int64)),
            helper.make_node("Equal", ["input_ids", "xunwen_pad"], ["xunwen_absent"]),
            helper.make_node("Not", ["xunwen_absent"], [present]),
        ]
    return [
        *nodes,
        helper.make_node("Cast", [present], ["xunwen_weights"], to=TensorProto.FLOAT),
        helper.make_node("Cast", [states], ["xunwen_states"], to=TensorProto.FLOAT),
        _constant("xunwen_as_row", np.array([0, 1, -1], np.int64)),
        helper.make_node("Reshape", ["xunwen_weights", "xunwen_as_row"], ["xunwen_weight_row"]),
        helper.make_node("MatMul", ["xunwen_weight_row", "xunwen_states"], ["xunwen_sum"]),
        _constant("xunwen_as_vector", np.array([0, -1], np.int64)),
        helper.make_node("Reshape", ["xunwen_sum", "xunwen_as_vector"], ["xunwen_pooled"]),
    ]


def _constant(name: str, value: Any) -> Any:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name))


def _listed(outputs: dict[str, Any]) -> str:
    return ", ".join(f"{name} {list(np.shape(value))}" for name, value in outputs.items())
