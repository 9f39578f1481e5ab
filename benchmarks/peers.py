"""The environment in which peers run, and calls into it; a peer that cannot be installed is named
in the table."""

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
    "infinity-emb": ["infinity-emb[server,torch]", "optimum<2", "transformers<4.49", "tokenizers"],
}
_TORCH = ["torch==2.13.0", "sentence-transformers"]
STACKS = {
    "txtai": [*_TORCH, "txtai"],
    "haystack": [*_TORCH, "haystack-ai>=3,<4"],
    "langchain": [
        *(*_TORCH, "langchain-core", "langchain-huggingface", "langchain-milvus", "milvus-lite"),
    ],
}
"""Stacks that people would take instead of the whole system; benchmarks/search_peer.py runs
them."""
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
"""Seconds of the fastest round, or items per second, by the name of the set."""


def environment_of(peer: str) -> Path:
    """Folder of the environment in which a peer runs.

    The stacks share one, of which torch is by far the largest part.
    """
    return ENVIRONMENT / ("stacks" if peer in STACKS else peer)


def install(peer: str) -> str | None:
    """Installs a peer with pip's own settings; returns None if it is installed, else the reason why
    not."""
    environment = environment_of(peer)
    python = environment / "bin" / "python"
    done = environment / f".installed-{peer}"
    if done.is_file():
        return None
    print(f"installing {peer} into {environment.relative_to(HERE.parent)}", file=sys.stderr)
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *(REQUIREMENTS | STACKS)[peer]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if installed.returncode:
        return "could not be installed"
    done.touch()
    return None


def onnx_of(model: Path, work: Path) -> Path:
    """Writes a model's graph and weights in the form that ONNX Runtime and OpenVINO read."""
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
    """Items per second of each set by peer, or the reason why a peer has no figure."""
    figures: dict[str, Figures | str] = {}
    for peer in wanted:
        found = measure(peer, request, work)
        figures[peer] = found if isinstance(found, str) else {
            name: sizes[name] / seconds for name, seconds in found.items()
        }  # fmt: skip
    return figures


def in_turns(turn: Callable[[], dict[str, Figures | str]]) -> dict[str, Any]:
    """The fastest of TURNS turns for each peer and each set. The peers take turns, since on a
    shared machine each would otherwise meet another moment."""
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
    """Seconds that each set takes, or the reason why a peer has no figure."""
    if reason := install(peer):
        return reason
    request = request | {"work": str(work)}
    try:
        if peer in ("onnxruntime", "openvino"):
            request["onnx"] = str(onnx_of(Path(request["model"]), work))
        run = subprocess.run(
            [environment_of(peer) / "bin" / "python", HERE / "peer.py", peer],
            input=json.dumps(request), capture_output=True, text=True,
            timeout=_RUN_SECONDS, check=True,
        )  # fmt: skip
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return f"failed ({type(error).__name__})"
    answer = json.loads(run.stdout.strip().splitlines()[-1])
    return {name: min(seconds) for name, seconds in answer.items()}
