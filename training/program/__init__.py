"""A network as the static program that the services load."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import paddle
from paddle import Tensor, nn
from paddle.static import InputSpec

from services.common.model_dir import sha256_of
from training.program.legacy import legacy_program

PROGRAM = "inference.pdmodel"
WEIGHTS = "inference.pdiparams"
_BEYOND = 1e38


class _Echoing(nn.Layer):
    """Beside the network's output the sum of its inputs, computed after it.

    Paddle's OpenVINO engine answers a pass that fails with the output of the one before. Its echo
    then is another one's, too.
    """

    def __init__(self, network: nn.Layer) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, token_type_ids: Tensor) -> tuple[Tensor, Tensor]:
        output = self.network(input_ids, token_type_ids)
        # Never true, but known only when the output is: so the echo waits for it.
        beyond = (output.sum() > _BEYOND).astype("int64")
        return output, input_ids + token_type_ids + beyond


def save_program(network: nn.Layer, directory: Path) -> None:
    """Write a network's program and weights as the services load them. Raises ProgramUnknown.

    It takes ids and types of tokens, int64 [batch, tokens] twice. Its outputs are the network's,
    float32 [batch, ...], and the echo of both inputs.
    """
    spec = [InputSpec([None, None], "int64", name) for name in ("input_ids", "token_type_ids")]
    static = paddle.jit.to_static(_Echoing(network), input_spec=spec, full_graph=True)
    with TemporaryDirectory(prefix="xunwen-export-") as name:
        folder = Path(name)
        paddle.jit.save(static, str(folder / "inference"))
        program = legacy_program(folder / "inference.json", sha256_of(folder / WEIGHTS)[:16])
        shutil.move(folder / WEIGHTS, directory / WEIGHTS)
        (directory / PROGRAM).write_bytes(program)
