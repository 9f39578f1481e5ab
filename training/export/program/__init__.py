"""Writes a network as the static program that the services load."""

import operator
import shutil
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory

import paddle
from paddle import Tensor, nn
from paddle.static import InputSpec

from services.common.model_dir import INPUTS, InputName, sha256_of
from training.export.program.legacy import legacy_program

PROGRAM = "inference.pdmodel"
WEIGHTS = "inference.pdiparams"
_BEYOND = 1e38


class _Echoing(nn.Layer):
    """A network that returns, beside its output, the sum of its inputs, computed after it.

    Paddle's OpenVINO engine answers a pass that fails with the output of the pass before. The echo
    is then wrong as well, which reveals the failure.
    """

    def __init__(self, network: nn.Layer) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: list[Tensor]) -> tuple[Tensor, Tensor]:
        output = self.network(*inputs)
        # The condition is never true, but is known only when the output is, so the echo waits for
        # the output.
        beyond = (output.sum() > _BEYOND).astype("int64")
        return output, reduce(operator.add, [*inputs, beyond])


def save_program(network: nn.Layer, directory: Path, inputs: Sequence[InputName] = INPUTS) -> None:
    """Writes a network's program and weights as the services load them. Raises ProgramUnknown.

    The program takes the named inputs, each int64 [batch, tokens]. Its outputs are the network's,
    float32 [batch, ...], and the echo of the inputs.
    """
    spec = [InputSpec([None, None], "int64", name) for name in inputs]
    static = paddle.jit.to_static(_Echoing(network), input_spec=[spec], full_graph=True)
    with TemporaryDirectory(prefix="xunwen-export-") as name:
        folder = Path(name)
        paddle.jit.save(static, str(folder / "inference"))
        program = legacy_program(folder / "inference.json", sha256_of(folder / WEIGHTS)[:16])
        shutil.move(folder / WEIGHTS, directory / WEIGHTS)
        (directory / PROGRAM).write_bytes(program)
