"""The environment of the peers, and calls into it. A peer that cannot be installed is named."""

import json
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import HERE

ENVIRONMENT = HERE / ".peers"
REQUIREMENTS = {
    "onnxruntime": ["onnxruntime", "paddle2onnx==2.0.1", "tokenizers"],
    "onnxruntime-int8": ["onnxruntime", "tokenizers"],
    "openvino": ["openvino", "tokenizers"],
    "sentence-transformers": ["sentence-transformers", "tokenizers"],
    "infinity-emb": ["infinity-emb[torch]", "optimum<2", "transformers<4.49", "tokenizers"],
}
_RUN_SECONDS = 1200
TURNS = 3
_CONVERT = """
import sys
sys.path.append(sys.argv[1])
import paddle2onnx
program, weights = (f"{sys.argv[2]}/inference.{end}" for end in ("pdmodel", "pdiparams"))
paddle2onnx.export(program, weights, sys.argv[3], opset_version=17, verbose=False)
"""
Figures = dict[str, float]
"""Set -> seconds of the fastest round, or items a second."""


def install(peer: str) -> str | None:
    """None when the peer is there, else why not. pip's own settings decide where from."""
    environment = ENVIRONMENT / peer
    python = environment / "bin" / "python"
    done = environment / ".installed"
    if done.is_file():
        return None
    print(f"installing {peer} into {environment.relative_to(HERE.parent)}", file=sys.stderr)
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *REQUIREMENTS[peer]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if installed.returncode:
        return "could not be installed"
    done.touch()
    return None


def onnx_of(model: Path, work: Path) -> Path:
    """The same graph and weights, as ONNX Runtime and OpenVINO read them."""
    target = work / f"{model.name}.onnx"
    if not target.is_file():
        install("onnxruntime")
        # The converter reads the program with our Paddle, which its environment lacks.
        packages = sysconfig.get_path("purelib")
        subprocess.run(
            [
                ENVIRONMENT / "onnxruntime" / "bin" / "python", "-c", _CONVERT,
                packages, model, target,
            ],
            capture_output=True, check=True,
        )  # fmt: skip
    return target


def rates(
    wanted: Sequence[str], request: dict[str, Any], sizes: Mapping[str, int], work: Path
) -> dict[str, Figures | str]:
    """Items of each set a second, by peer, or why a peer has none."""
    figures: dict[str, Figures | str] = {}
    for peer in wanted:
        found = measure(peer, request, work)
        figures[peer] = found if isinstance(found, str) else {
            name: sizes[name] / seconds for name, seconds in found.items()
        }  # fmt: skip
    return figures


def in_turns(turn: Callable[[], dict[str, Figures | str]]) -> dict[str, Any]:
    """The fastest of TURNS turns of all, for each of them and each set.

    One after the other, each would meet another moment of a shared machine.
    """
    best: dict[str, Any] = {}
    for _ in range(TURNS):
        for name, found in turn().items():
            before = best.get(name)
            if isinstance(found, str) or not isinstance(before, dict):
                best[name] = found
            else:
                best[name] = {each: max(found[each], before[each]) for each in found}
    return best


def measure(peer: str, request: dict[str, Any], work: Path) -> Figures | str:
    """Seconds of each set, or why there are none."""
    if reason := install(peer):
        return reason
    request = request | {"work": str(work)}
    try:
        if peer in ("onnxruntime", "openvino"):
            request["onnx"] = str(onnx_of(Path(request["model"]), work))
        run = subprocess.run(
            [ENVIRONMENT / peer / "bin" / "python", HERE / "peer.py", peer],
            input=json.dumps(request), capture_output=True, text=True,
            timeout=_RUN_SECONDS, check=True,
        )  # fmt: skip
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return f"failed ({type(error).__name__})"
    answer = json.loads(run.stdout.strip().splitlines()[-1])
    return {name: min(seconds) for name, seconds in answer.items()}
