"""The program that is written for Paddle's OpenVINO engine computes what the network does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.common.engine.paddle import open_paddle
from tests.training.ernie import paddle
from training.export.program import PROGRAM, WEIGHTS, save_program
from training.failures import ProgramUnknown

# Paddle warns while it traces.
pytestmark = pytest.mark.filterwarnings("ignore")

_IDS = np.array([[0, 5, 7, 2], [0, 9, 2, 1]], dtype=np.int64)
_TYPES = np.array([[0, 0, 1, 1], [0, 0, 0, 0]], dtype=np.int64)


class _Network(paddle.nn.Layer):
    def __init__(self, compute: Any) -> None:
        super().__init__()
        self.embedding = paddle.nn.Embedding(12, 6, padding_idx=1)
        self.norm = paddle.nn.LayerNorm(6)
        self.linear = paddle.nn.Linear(6, 4)
        self.compute = compute

    def forward(self, input_ids: Any, token_type_ids: Any) -> Any:
        states = self.linear(self.norm(self.embedding(input_ids)))
        return self.compute(states, input_ids, token_type_ids)


def _first(states: Any, ids: Any, types: Any) -> Any:
    return states[:, 0]


def _shaped(states: Any, ids: Any, types: Any) -> Any:
    heads = states.reshape([0, 0, 2, 2]).transpose([0, 2, 1, 3])
    heads = paddle.nn.functional.relu(heads)
    weights = paddle.nn.functional.softmax(heads.matmul(heads, transpose_y=True), axis=-1)
    return weights.matmul(heads).sum(axis=[1, 2], keepdim=False)


def _masked(states: Any, ids: Any, types: Any) -> Any:
    present = paddle.logical_and(ids != 1, paddle.logical_not(types > 0))
    positions = paddle.cumsum(paddle.ones_like(ids), axis=1) - 1
    weight = present.astype("float32") * positions.astype("float32")
    pooled = paddle.matmul(weight.unsqueeze(1), states).squeeze(1)
    return pooled / paddle.clip(weight.sum(axis=1, keepdim=True), min=1.0)


def _scored(states: Any, ids: Any, types: Any) -> Any:
    squares = (states * states).sum(axis=-1, keepdim=True)
    unit = paddle.nn.functional.normalize(states, axis=-1) * paddle.rsqrt(squares + 1.0)
    best = (unit - paddle.sqrt(squares)).max(axis=1)
    pair = paddle.stack([best, paddle.tanh(best)], axis=-1)
    return paddle.nn.functional.gelu(pair).sum(axis=-1)


@pytest.mark.parametrize("compute", [_first, _shaped, _masked, _scored])
def test_it_computes_what_the_network_does(compute: Any, tmp_path: Path) -> None:
    paddle.seed(1)
    network = _Network(compute)
    network.eval()
    expected = network(paddle.to_tensor(_IDS), paddle.to_tensor(_TYPES)).numpy()
    save_program(network, tmp_path)
    program = open_paddle(tmp_path / PROGRAM, tmp_path / WEIGHTS, threads=1, precision="fp32")
    assert program.run(_IDS, _TYPES) == pytest.approx(expected, abs=1e-5)
    assert _without_openvino(tmp_path) == pytest.approx(expected, abs=1e-5)


def _without_openvino(folder: Path) -> Any:
    """What Paddle Inference as it comes makes of the program."""
    config = paddle.inference.Config(str(folder / PROGRAM), str(folder / WEIGHTS))
    config.disable_gpu()
    config.disable_glog_info()
    predictor = paddle.inference.create_predictor(config)
    predictor.get_input_handle("input_ids").copy_from_cpu(_IDS)
    predictor.get_input_handle("token_type_ids").copy_from_cpu(_TYPES)
    predictor.run()
    return predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()


def test_two_models_of_one_form_keep_apart(tmp_path: Path) -> None:
    programs, names = [], []
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        paddle.seed(seed)
        network = _Network(_first)
        network.eval()
        expected = network(paddle.to_tensor(_IDS), paddle.to_tensor(_TYPES)).numpy()
        save_program(network, folder)
        program = open_paddle(folder / PROGRAM, folder / WEIGHTS, threads=1, precision="fp32")
        programs.append((program, expected))
        names.append(_computed(folder))
    assert not names[0] & names[1]
    for program, expected in programs:
        assert program.run(_IDS, _TYPES) == pytest.approx(expected, abs=1e-5)


def _computed(folder: Path) -> set[str]:
    """Names of what the program computes."""
    forms: Any = paddle.base.proto.framework_pb2
    program = forms.ProgramDesc()
    program.ParseFromString((folder / PROGRAM).read_bytes())
    inner = (each for each in program.blocks[0].ops if each.type not in ("feed", "fetch"))
    return {name for each in inner for slot in each.outputs for name in slot.arguments}


def test_the_same_model_is_loaded_once(tmp_path: Path) -> None:
    save_program(_Network(_first), tmp_path)
    files = tmp_path / PROGRAM, tmp_path / WEIGHTS
    first, again, exact = (
        open_paddle(*files, threads=1, precision=precision)
        for precision in ("fp32", "fp32", "bf16")
    )
    assert again is first
    assert exact is not first
    save_program(_Network(_first), tmp_path)
    assert open_paddle(*files, threads=1, precision="fp32") is not first


def test_an_operator_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    def rolled(states: Any, ids: Any, types: Any) -> Any:
        return paddle.roll(states, 1, axis=1)

    with pytest.raises(ProgramUnknown, match=r"operator roll, .*rules\.py"):
        save_program(_Network(rolled), tmp_path)
