"""The int8 program: what smoothing changes and what it must not."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from services.common.engine.tokens import IntArray
from training.export.quantisation.smoothing import smooth

_HUGE = 200.0
_BATCH = (np.array([[0, 1, 2, 3]], dtype=np.int64), np.zeros((1, 4), dtype=np.int64))


@pytest.fixture
def model() -> onnx.ModelProto:
    """Embeddings with one huge channel, read by two products."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(8, 16)).astype(np.float32)
    table[:, 3] *= _HUGE
    weights = {
        "table": table,
        "left": rng.normal(size=(16, 6)).astype(np.float32),
        "right": rng.normal(size=(16, 6)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Add", ["input_ids", "token_type_ids"], ["at"]),
        helper.make_node("Gather", ["table", "at"], ["states"]),
        helper.make_node("MatMul", ["states", "left"], ["a"], name="a"),
        helper.make_node("MatMul", ["states", "right"], ["b"], name="b"),
        helper.make_node("Add", ["a", "b"], ["output"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "columns"])
        for name in ("input_ids", "token_type_ids")
    ]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["rows", "columns", 6])
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "two products", inputs, [output], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def _run(model: onnx.ModelProto, name: str, ids: IntArray) -> np.ndarray:
    if name != "output":
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (values,) = session.run([name], {"input_ids": ids, "token_type_ids": np.zeros_like(ids)})
    return np.asarray(values)


def test_smoothing_evens_out_activations_and_changes_no_answer(
    model: onnx.ModelProto, tmp_path: Path
) -> None:
    unseen = np.array([[4, 5, 6, 7]], dtype=np.int64)
    before = _run(model, "output", unseen)
    smooth(model, [{"input_ids": _BATCH[0], "token_type_ids": _BATCH[1]}], tmp_path)
    assert _run(model, "output", unseen) == pytest.approx(before, rel=1e-4)
    peaks = np.abs(_run(model, "states.smooth", unseen)).max(axis=(0, 1))
    assert peaks[3] / np.median(peaks) < _HUGE / 5
    assert [node.input[0] for node in model.graph.node if node.op_type == "MatMul"] == [
        "states.smooth", "states.smooth",
    ]  # fmt: skip
